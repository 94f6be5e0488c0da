"""Images of benign and malignant nodules, their effect on a classifier, and a reader study of real and synthetic
images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ct2pet import layout
from ct2pet.api.augmentation_study import PAGE, PICTURES, GeneratorChoice, study_augmentation
from ct2pet.api.demonstrations.base import Demonstration, Trained
from ct2pet.api.synthesis import synthesize
from ct2pet.files import copy_file
from ct2pet.parallel import default_processes
from ct2pet.phantom import write_nodule_dataset
from ct2pet.phantom.nodules import CLASSES
from ct2pet.planning.plans import Plans
from ct2pet.study.classification import ClassifierOptions
from ct2pet.study.reader_study import ReaderStudyOptions, make_reader_study
from ct2pet.study.slices import SliceOptions
from ct2pet.study.study import StudyOptions

_MODEL = "medscangan"
_NUM_TRAIN, _NUM_TEST, _SEED = 64, 32, 2503
_EPOCHS, _ITERATIONS = 10, 60
_SLICES = SliceOptions(size_mm=64.0, pixels=32, per_case=3)
_STUDY = StudyOptions(
    classifiers=("small_cnn",),
    arms=("classical", "pca_gaussian", "gan", "gan_curated", "oracle"),
    seeds=3,
    patients=32,
    training=ClassifierOptions(steps=100),
)
_READ = ReaderStudyOptions(number=20)


def write(raw: Path) -> None:
    """Phantom patients with one nodule each, PET and CT of the region around it."""
    write_nodule_dataset(raw, num_train=_NUM_TRAIN, num_test=_NUM_TEST, seed=_SEED, num_processes=default_processes())


def shortened(plans: Plans) -> Plans:
    """Adapt the plans to a training of minutes."""
    numbers = {"num_epochs": _EPOCHS, "iterations_per_epoch": _ITERATIONS, "decay_epochs": _EPOCHS // 2}
    models = {**plans.models, _MODEL: {**plans.hyperparameters(_MODEL), **numbers}}
    return replace(plans, models=models)


def synthesize_classes(trained: Trained) -> None:
    """Write images of each class into ``synthetic``, one folder per class."""
    for label in CLASSES:
        target = trained.folder / "synthetic" / label
        synthesize(target, labels=[label], count=_READ.number, seed=1, model=_MODEL, device=trained.device)


def study(trained: Trained) -> None:
    """The augmentation study, into ``study``; its page is the report."""
    options = replace(_STUDY, training=replace(_STUDY.training, device=trained.device or "cpu"))
    study_augmentation(
        trained.dataset,
        trained.folder / "study",
        kinds=("pet", "ct"),
        slices=_SLICES,
        options=options,
        generator=GeneratorChoice(_MODEL),
    )
    copy_file(trained.folder / "study" / PAGE, trained.folder / layout.REPORT)


def ask_readers(trained: Trained) -> None:
    """Write the page of a reader study, reader.html, and its key in another file."""
    page, key = trained.folder / "reader.html", trained.folder / "reader_key" / "key.json"
    if not page.exists():
        real, synthetic = (trained.folder / "study" / PICTURES / kind / "pet" for kind in ("real", "synthetic"))
        key.unlink(missing_ok=True)
        make_reader_study(real, synthetic, page, key, _READ)


DEMONSTRATION = Demonstration(
    "Dataset997_NodulePhantom",
    write,
    shortened,
    {
        "synthetic images": synthesize_classes,
        "augmentation study and report": study,
        "reader study": ask_readers,
    },
    plans_name="medscangan_64mm",
)
