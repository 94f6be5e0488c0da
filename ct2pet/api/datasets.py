"""Raw datasets: the commands ct2pet_convert_dicom, ct2pet_split and ct2pet_register as functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ct2pet.conversion import Conversion
from ct2pet.conversion import convert_dicom as convert
from ct2pet.dataset import open_dataset
from ct2pet.dataset.alignment import align_dataset
from ct2pet.dataset.train_test_split import split_dataset
from ct2pet.parallel import default_processes


@dataclass(frozen=True)
class ConversionOptions:
    """``weights_csv``: table of values that headers lack. ``patient_map``: file to write with the patient of each case;
    ``left_out``: file to write with unused files and series. ``lesion_rois``: name pattern of regions that are
    lesions."""

    num_processes: int | None = None
    weights_csv: str | Path | None = None
    patient_map: str | Path | None = None
    left_out: str | Path | None = None
    lesion_rois: str | None = None


def convert_dicom(
    source: str | Path, dataset_id: int, name: str, options: ConversionOptions | None = None, **changes: Any
) -> Conversion:
    """Convert every PET with its CT below the folder ``source`` to the raw dataset DatasetNNN_NAME. Called again, it
    converts the missing cases.

    ``changes`` are ConversionOptions by name. Failed cases are in the result, not raised. Raises DatasetError where
    there is nothing to convert, or where the dataset cannot be extended.
    """
    options = replace(options or ConversionOptions(), **changes)
    return convert(source, dataset_id, name, **asdict(options))


def split(dataset: str | int, *, seed: int = 12345) -> dict[str, int]:
    """Split a raw dataset by patient: 70% training, 10% validation, 20% test, stratified by diagnosis; returns the
    number of cases of each part. ``seed`` is the random seed of the split."""
    return split_dataset(open_dataset(dataset).folder, seed)


def register(
    dataset: str | int, cases: Sequence[str] | None = None, *, num_processes: int | None = None
) -> dict[str, dict[str, Any]]:
    """Register misaligned PETs of a raw dataset to their CTs (rigid). Misaligned: by a quick estimate, or named in
    ``cases``. Returns the outcomes by case. Raises CasesFailed."""
    results = align_dataset(open_dataset(dataset), cases, num_processes or default_processes())
    results.raise_failures("could not be registered")
    return results.values
