"""The augmentation study of a dataset, as the command ct2pet_augmentation_study does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ct2pet.dataset.raw import dataset_folder_name
from ct2pet.paths import raw_folder
from ct2pet.study.cases import labelled_cases, read_condition
from ct2pet.study.classifiers import load_classifier
from ct2pet.study.results import text_table
from ct2pet.study.slices import SliceOptions, read_slices
from ct2pet.study.study import STUDY_FILE, StudyData, StudyOptions, run_study


def study_augmentation(
    dataset: str | int,
    output: Path,
    *,
    kinds: Sequence[str] = ("pet",),
    slices: SliceOptions | None = None,
    options: StudyOptions | None = None,
) -> dict[str, Any]:
    """Train classifiers on the training cases of a raw dataset in every arm, and judge them on its test cases.

    Writes study.json into ``output`` and returns its content; interrupted, it goes on where it was. Prints a line a
    run, and the table of the arms. Raises DatasetError where the cases do not suffice, and PluginError for an unknown
    classifier.
    """
    options, slices = options or StudyOptions(), slices or SliceOptions()
    for name in options.classifiers:
        load_classifier(name)
    folder = raw_folder() / dataset_folder_name(dataset, raw_folder())
    _, classes = read_condition(folder)
    training, test = (read_slices(labelled_cases(folder, split, kinds), classes, slices) for split in ("Tr", "Ts"))
    study = run_study(StudyData(training, test), options, Path(output), progress=lambda line: print(line, flush=True))
    print(text_table(study))
    print(f"written: {Path(output) / STUDY_FILE}")
    return study
