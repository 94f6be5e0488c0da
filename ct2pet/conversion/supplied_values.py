"""The rows of ``--weights_csv`` that belong to the PETs of a conversion; a row that belongs to none is an error."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ct2pet.dicom.headers import Header
from ct2pet.errors import DatasetError
from ct2pet.suv.supplied import Row, SuppliedTable

_SHOWN = 5  # line numbers in a message


def row_of(table: SuppliedTable, pet: Header, time: datetime | None, case: str) -> Row | None:
    """The row of a PET: by patient, study (its UID, or the date of ``time``) and case. Raises DatasetError as
    SuppliedTable.find does."""
    dates = () if time is None else (f"{time:%Y%m%d}", f"{time:%Y-%m-%d}")
    return table.find(patient=pet.patient, study=(pet.study, *dates), case=case)


def check_all_used(table: SuppliedTable, used: Iterable[Row | None]) -> None:
    """Raise DatasetError where rows of the table are not in ``used``, the rows of all PETs: the values of the headers
    would be used in their place."""
    lines = {row.line for row in used if row is not None}
    unused = [str(row.line) for row in table.rows if row.line not in lines]
    if unused:
        shown = ", ".join(unused[:_SHOWN]) + (", ..." if len(unused) > _SHOWN else "")
        raise DatasetError(f"{table.path}: line(s) {shown} match no examination; correct or remove them")
