"""The registration of the pairs of a raw dataset: the record of a case is ``registration/CASE.json``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ct2pet.dataset.fields import CT, LESIONS, PET, Field
from ct2pet.dataset.raw import SPLITS, RawDataset
from ct2pet.errors import DatasetError
from ct2pet.files import write_json
from ct2pet.imageio import count_voxels, read_grid, read_volume, write_volume
from ct2pet.outputs import check_output_folder
from ct2pet.parallel import CaseResults, map_cases
from ct2pet.registration import MOVED, moved_grid, register
from ct2pet.schema import parse_as, read_as
from ct2pet.volume import Grid, Volume

RECORDS = "registration"
_PROCESS_GIB = 0.4
_BYTES_PER_VOXEL = 16


@dataclass(frozen=True)
class AlignmentRecord:
    """The part of registration/CASE.json that the code uses. The file also contains all values of Registration for
    readers."""

    outcome: Literal["aligned", "moved", "implausible", "unclear"]
    reason: str
    pet_grid_before: Grid
    pet_grid_after: Grid

    def concerns(self, grid: Grid) -> bool:
        """Whether the record belongs to the current PET, which a new conversion may have replaced."""
        return grid.matches(self.pet_grid_before) or grid.matches(self.pet_grid_after)


def align_dataset(dataset: RawDataset, cases: Sequence[str] | None = None, num_processes: int = 1) -> CaseResults:
    """Register the PET of every training and test case to its CT where a quick estimate finds a misalignment; named
    ``cases`` are registered without the estimate. The values of the result are the records.

    A moved PET keeps its voxels and gets a new position; so does a lesion mask on the PET's grid. Cases with a record
    are skipped, except named ones that were not moved. Raises DatasetError for unknown cases.
    """
    ct, pet = _ct_and_pet(dataset)
    check_output_folder(dataset.folder / RECORDS)
    for split in SPLITS:
        for one in (pet, dataset.fields[LESIONS]):
            if (folder := dataset.path(one, "", split).parent).is_dir():
                check_output_folder(folder)
    split_of = {case: split for split in SPLITS for case in dataset.cases(split) if dataset.file(pet, case, split)}
    unknown = sorted({*(cases or ())} - {*split_of})
    if unknown:
        raise DatasetError(f"{dataset.folder}: no case with CT and PET of the name {', '.join(unknown)}")
    wanted = split_of if cases is None else cases
    voxels = max((count_voxels(dataset.file(ct, case, split_of[case])) for case in wanted), default=0)
    return map_cases(
        align_case,
        {case: (dataset, case, split_of[case], cases is not None) for case in wanted},
        num_processes=num_processes,
        memory_per_process_gib=_PROCESS_GIB + voxels * _BYTES_PER_VOXEL / 2**30,
        description="Registering",
    )


def align_case(dataset: RawDataset, case: str, split: str, always: bool = False) -> AlignmentRecord:
    """Register one case and move its PET where the registration is accepted; returns the record. Completes an
    interrupted run."""
    path = dataset.folder / RECORDS / f"{case}.json"
    ct, pet = _ct_and_pet(dataset)
    target = dataset.path(pet, case, split)
    grid = read_grid(target)
    record = _read_record(path) if path.is_file() else None
    if record is None or not record.concerns(grid) or (always and record.outcome != MOVED):
        result = register(read_volume(dataset.path(ct, case, split), "HU"), read_volume(target, "SUV"), always=always)
        after = moved_grid(grid, result) if result.outcome == MOVED else grid
        content = {**result.to_json(), "pet_grid_before": asdict(grid), "pet_grid_after": asdict(after)}
        write_json(path, content)  # written first, so that the next run can complete an interrupted one
        record = _read_record(path)
    if record.outcome == MOVED:
        lesions = dataset.file(LESIONS, case, split)
        for file in [target] if lesions is None else [lesions, target]:
            if read_grid(file).matches(record.pet_grid_before):
                volume = read_volume(file)
                write_volume(file, Volume(volume.array, record.pet_grid_after, volume.unit))
    return record


def _read_record(path: Path) -> AlignmentRecord:
    """Raises DatasetError, naming the file, where the content is invalid."""
    content = read_as(path, dict[str, Any], DatasetError, "remove it to register the case again")
    used = {one.name: content[one.name] for one in fields(AlignmentRecord) if one.name in content}
    return parse_as(used, AlignmentRecord, str(path), DatasetError)


def _ct_and_pet(dataset: RawDataset) -> tuple[Field, Field]:
    """The CT among the inputs and the PET among the targets. Raises DatasetError where there is none."""
    ct = next((field for field in dataset.fields.inputs if field.kind == CT), None)
    pet = next((field for field in dataset.fields.targets if field.kind == PET), None)
    if ct is None or pet is None:
        raise DatasetError(f"{dataset.folder}: registration needs a CT as an input and a PET as a target")
    return ct, pet


def count_outcomes(records: Collection[AlignmentRecord]) -> str:
    """The number of cases per outcome, as text."""
    outcomes = [record.outcome for record in records]
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in sorted({*outcomes}))
