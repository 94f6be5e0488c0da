"""Unused files of a conversion: printed by reason, and with paths in a table that only its owner can read.

Names of files and folders often contain patient names, and printed lines are stored in logs: they name series and
images by numbers. The paths are in the table chosen by the user.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ct2pet.dicom.tree import LeftOut
from ct2pet.errors import DatasetError
from ct2pet.files import atomic_path

_COLUMNS = ("case", "reason", "place")


def group_left_out(left_out: Iterable[LeftOut]) -> list[tuple[str, int]]:
    """Reasons and how often each one occurs; the most frequent first."""
    return Counter(item.reason for item in left_out).most_common()


def check_replaceable(path: Path) -> None:
    """Raise DatasetError where the table would replace another file."""
    try:
        if path.exists() and path.read_bytes().splitlines()[:1] != [",".join(_COLUMNS).encode()]:
            raise DatasetError(
                f"{path}: would be replaced, but is not a table of --left_out; choose another --left_out"
            )
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); choose another --left_out") from None


def write_left_out(
    path: Path, source: Path, left_out: Iterable[LeftOut], failures: Mapping[str, str], folders: Mapping[str, Path]
) -> None:
    """Write the table (mode 0600): the ``failures`` of cases, with the ``folders`` of their PETs, and then all
    ``left_out``. Paths are relative to ``source``."""
    with (
        atomic_path(path, private=True) as temporary,
        # file names may contain bytes that are not text
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows((case, reason, _place(folders[case], source)) for case, reason in sorted(failures.items()))
        writer.writerows(("", item.reason, _place(item.path, source)) for item in left_out)


def _place(path: Path, source: Path) -> str:
    return str(path.relative_to(source) if path.is_relative_to(source) else path)
