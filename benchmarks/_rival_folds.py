"""The sarcoma patients in folds by patient: networks that are trained on the other folds predict each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from comparison import TRAINING

from ct2pet import layout
from ct2pet.dataset import RawDataset, write_dataset_json
from ct2pet.dataset.splits import Split, create_splits
from ct2pet.files import read_json, write_json
from dataset_conversion import Dataset101_STS as sts


def write_patients(source: Path, raw: Path) -> RawDataset:
    """All patients as test cases of one dataset without training cases."""
    if not (raw / layout.DATASET).exists():
        names = sorted(path.name for path in source.glob("STS_*") if path.is_dir())
        for name in names:
            sts.convert_patient(source / name, raw, "Ts")
        _write_json(raw, 0)
    return RawDataset(raw)


def splits_of(cases: Sequence[str], num_folds: int, fold: int | None = None) -> dict[int, Split]:
    """All folds, or one of them, by number. One fold alone has the test patients of Dataset101_STS."""
    if num_folds == 1:
        test = [case for case in cases if case in sts.TEST_CASES]
        return {0: {"train": sorted({*cases} - {*test}), "val": test}}
    splits = create_splits(cases, {}, {}, num_folds=num_folds)
    return {number: split for number, split in enumerate(splits) if fold in (None, number)}


def write_fold(patients: RawDataset, raw: Path, split: Split) -> RawDataset:
    """The validation patients of ``split`` as test cases and the others as training cases, in links to the files of
    ``patients``."""
    for cases, name in ((split["train"], "Tr"), (split["val"], "Ts")):
        for case in cases:
            _link(patients.folder, raw, case, name)
    _write_json(raw, len(split["train"]))
    return RawDataset(raw)


def _link(whole: Path, raw: Path, case: str, split: str) -> None:
    for path in whole.glob(f"*Ts/{case}[._]*"):
        link = raw / path.parent.name.replace("Ts", split) / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(path)


def _write_json(raw: Path, num_training: int) -> None:
    write_dataset_json(
        raw,
        name="STS",
        districts={sts.DISTRICT: 1},
        num_training=num_training,
        segmenter={"name": "body"},
        **sts.CITATION,
    )


def collect(folds: Sequence[Path], folder: Path) -> None:
    """The predictions of one arm in the folders of its folds, as links in one folder, and its trainings."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in chain.from_iterable(fold.glob(f"*{sts.FILE_ENDING}") for fold in folds):
        link = folder / path.name
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    trained = [fold / TRAINING for fold in folds if (fold / TRAINING).exists()]
    write_json(folder / TRAINING, [one for file in trained for one in read_json(file)])
