"""Case names of DICOM folders from the patient map of ct2pet_convert_dicom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ct2pet.conversion.patient_map import MapRow, read_map
from ct2pet.errors import DatasetError, ImageError


def named_as_converted(folders: Mapping[str, Path], patient_map: Path) -> dict[str, Path]:
    """The folders of DICOM CTs by case: the examination is found in ``patient_map`` (of ct2pet_convert_dicom) by its
    PatientID and StudyInstanceUID. A folder of another examination keeps its name.

    Raises DatasetError where the map cannot be read, has none of the examinations, or gives two folders one name.
    Messages contain no names of patients or folders.
    """
    rows = read_map(patient_map)
    if not rows:
        raise DatasetError(f"{patient_map}: not a patient map; make one with ct2pet_convert_dicom --patient_map")
    found = {name: _case_of(folder, rows) for name, folder in folders.items()}
    if not any(found.values()):
        raise DatasetError(f"{patient_map}: contains none of the {len(folders)} examination(s) to predict")
    named: dict[str, Path] = {}
    for name, folder in folders.items():
        case = found[name] or name
        if case in named:
            raise DatasetError(f"{patient_map}: two folders contain the examination {case}; remove one")
        named[case] = folder
    return named


def _case_of(folder: Path, rows: list[MapRow]) -> str | None:
    from ct2pet.dicom.folders import only_ct_series  # pydicom takes its time

    try:
        header = only_ct_series(folder).headers[0]
    except ImageError:  # reported when this case is predicted
        return None
    return next(
        (row.case for row in rows if (row.patient_id, row.study_instance_uid) == (header.patient, header.study)), None
    )
