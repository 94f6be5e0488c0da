"""An augmentation study: every arm with every classifier and seed, each run stored when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ct2pet.errors import Ct2PetError, DatasetError
from ct2pet.files import read_json, write_json
from ct2pet.provenance import digest
from ct2pet.schema import read_as
from ct2pet.study.arms import REAL, WITH_RATIO, Ingredients, check_arms, training_set
from ct2pet.study.classification import ClassifierOptions, check_classifier, train_classifier
from ct2pet.study.generators import Sampler
from ct2pet.study.results import summarize
from ct2pet.study.slices import Slices

STUDY_FILE = "study.json"
LEAST_PATIENTS = 10
_RUNS = "runs"
_SETTINGS = "settings.json"


@dataclass(frozen=True)
class StudyData:
    """Real slices. ``training`` and ``test`` hold other patients; ``extra``: real slices beyond the training patients,
    for the oracle (None: the training patients that a run does not draw). ``sampler``: a generator that was trained on
    training patients only, ``sampler_name`` names it."""

    training: Slices
    test: Slices
    extra: Slices | None = None
    sampler: Sampler | None = None
    sampler_name: str = ""


@dataclass(frozen=True)
class StudyOptions:
    """``ratios``: added images for each real one. ``patients``: how many training patients each run draws (None: all).
    ``validation_share`` of them choose the weights and are not trained on. Below ``LEAST_PATIENTS`` training or test
    patients of a class a study is refused unless ``few_patients`` is set."""

    classifiers: tuple[str, ...] = ("resnet18",)
    arms: tuple[str, ...] = (REAL, "classical", "oversampling", "mixup", "pca_gaussian")
    ratios: tuple[float, ...] = (1.0,)
    seeds: int = 5
    patients: int | None = None
    validation_share: float = 0.25
    few_patients: bool = False
    training: ClassifierOptions = field(default_factory=ClassifierOptions)


@dataclass(frozen=True)
class Run:
    """One training: ``ratio`` is 0 for arms that add no images by ratio."""

    arm: str
    classifier: str
    ratio: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.arm}__{self.classifier}__ratio{self.ratio:g}__seed{self.seed}"


@dataclass(frozen=True)
class _RunFile(Run):
    """What is stored of a run. ``images`` it was trained with, of which ``counts`` were added or changed; ``step`` with
    the best validation; ``probabilities`` of the second class by test patient."""

    images: int
    counts: dict[str, int]
    step: int
    probabilities: list[float]


def runs_of(options: StudyOptions) -> Iterator[Run]:
    """All runs, the seeds outermost: an interrupted study has whole seeds. The arm of real images alone comes first."""
    arms = dict.fromkeys((REAL, *options.arms))
    for seed in range(options.seeds):
        for classifier in options.classifiers:
            for arm in arms:
                for ratio in options.ratios if arm in WITH_RATIO else (0.0,):
                    if ratio > 0 or arm not in WITH_RATIO:
                        yield Run(arm, classifier, float(ratio), seed)


def run_study(
    data: StudyData, options: StudyOptions, folder: Path, *, progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Train every run that ``folder`` does not hold yet, and write study.json, whose content is returned.

    The same data and options give the same results on one machine, in one go or interrupted. ``progress`` is called
    with a line after each run. Raises DatasetError where the patients cannot be divided, and Ct2PetError where
    ``folder`` holds a study of other data or options.
    """
    check_study(data, options)
    folder = Path(folder)
    _check_settings(folder, data, options)
    results: list[dict[str, Any]] = []
    runs = list(runs_of(options))
    for number, run in enumerate(runs, start=1):
        path = folder / _RUNS / f"{run.name}.json"
        if not path.exists():
            write_json(path, _execute(run, data, options))
            progress(f"run {number} of {len(runs)} done: {run.name}")
        results.append(_read_run(path, run, len(data.test.patient_labels())))
    study = {"options": asdict(options), "generator": data.sampler_name, **summarize(_labels(data.test), results)}
    write_json(folder / STUDY_FILE, study)
    return study


def _read_run(path: Path, run: Run, patients: int) -> dict[str, Any]:
    """The stored result of a run. Raises Ct2PetError, naming the file, where it is that of something else."""
    remedy = "remove it, and the run is made again"
    content = read_as(path, _RunFile, remedy=remedy)
    if Run(content.arm, content.classifier, content.ratio, content.seed) != run:
        raise Ct2PetError(f"{path}: holds another run than its name says; {remedy}")
    if len(content.probabilities) != patients:
        raise Ct2PetError(f"{path}: holds {len(content.probabilities)} test patients, not {patients}; {remedy}")
    return asdict(content)


def _labels(test: Slices) -> np.ndarray:
    return np.array(list(test.patient_labels().values()))


def check_study(data: StudyData, options: StudyOptions) -> None:
    """Raise DatasetError where the patients cannot be divided or are too few, PluginError or TrainingError for unfit
    classifiers, and Ct2PetError for arms that need more."""
    shared = set(data.training.patients) & set(data.test.patients)
    if data.extra is not None:
        shared |= set(data.extra.patients) & (set(data.test.patients) | set(data.training.patients))
    if shared:
        raise DatasetError(f"{len(shared)} patient(s) are on two sides of the split; {min(shared)} is one")
    if len(data.training.classes) != 2:
        raise DatasetError(f"a study compares two classes, not {len(data.training.classes)}")
    for what, slices in (("training", data.training), ("test", data.test)):
        _check_classes(what, slices, options.few_patients)
    number = len(set(data.training.patients))
    if options.patients is not None and options.patients > number:
        raise DatasetError(f"only {number} training patients, not {options.patients}")
    more_real = data.extra is not None or (options.patients or number) < number
    check_arms(options.arms, generator=data.sampler is not None, more_real=more_real)
    for name in options.classifiers:
        check_classifier(name, data.training)


def _check_classes(what: str, slices: Slices, few_allowed: bool) -> None:
    own = slices.patient_labels()
    mixed = [str(name) for name, label in zip(slices.patients, slices.labels) if own[str(name)] != label]
    if mixed:
        raise DatasetError(f"the {what} patient {mixed[0]} has cases of both classes; keep those of one of them")
    labels = list(own.values())
    for label, name in enumerate(slices.classes):
        number = labels.count(label)
        if number == 0:
            raise DatasetError(f"no {what} patient is {name}; a study needs patients of both classes")
        if number < LEAST_PATIENTS and not few_allowed:
            raise DatasetError(
                f"only {number} {what} patient(s) are {name}: below {LEAST_PATIENTS} the result depends on single "
                "patients, and a difference between arms cannot be distinguished from chance; --few_patients continues "
                "all the same"
            )


def _check_settings(folder: Path, data: StudyData, options: StudyOptions) -> None:
    """The seeds, arms, ratios and classifiers may grow; once a run is stored, what changes its result may not."""
    path = folder / _SETTINGS
    settings = {
        "patients": options.patients,
        "validation_share": options.validation_share,
        "training": asdict(options.training),
        "generator": data.sampler_name,
        "data": [slices_digest(slices) for slices in (data.training, data.test, data.extra)],
    }
    if any((folder / _RUNS).glob("*.json")) and path.exists():
        stored = read_json(path)
        other = ", ".join(name for name, value in settings.items() if stored.get(name) != value)
        if other:
            raise Ct2PetError(f"{folder}: holds a study that differs in {other}; choose another folder")
    write_json(path, settings)


def slices_digest(slices: Slices | None) -> str | None:
    """A digest of images, classes and patients."""
    if slices is None:
        return None
    sums = slices.images.sum(axis=(1, 2, 3), dtype=np.float64).round(3).tolist()
    return digest([sums, slices.labels.tolist(), slices.patients.tolist()])


def _execute(run: Run, data: StudyData, options: StudyOptions) -> dict[str, Any]:
    training, validation, rest = draw_patients(data.training, options.patients, options.validation_share, run.seed)
    extra = data.extra if data.extra is not None else rest
    number = round(run.ratio * len(training))
    ingredients = Ingredients(
        training, number, run.seed, run.classifier, options.training, extra=extra, sampler=data.sampler
    )
    own = training_set(run.arm, ingredients)
    trained = train_classifier(run.classifier, own, validation, options.training, run.seed)
    probabilities = trained.by_patient(data.test)[:, 1]
    return {
        **asdict(run),
        "images": len(own.slices),
        "counts": own.counts,
        "step": trained.step,
        "probabilities": [round(float(p), 6) for p in probabilities],
    }


def draw_patients(
    slices: Slices, number: int | None, validation_share: float, seed: int
) -> tuple[Slices, Slices, Slices | None]:
    """``number`` patients (None: all), drawn within each class in its share of all, divided into training and
    validation; and the slices of the others (None where there are none). Raises DatasetError where a class has fewer
    than two."""
    random = np.random.default_rng([seed, 19])
    labels = slices.patient_labels()
    share = 1.0 if number is None else number / len(labels)
    training: list[str] = []
    validation: list[str] = []
    for label, name in enumerate(slices.classes):
        own = random.permutation([patient for patient, its in labels.items() if its == label]).tolist()
        drawn = own[: round(share * len(own))]
        if len(drawn) < 2:
            raise DatasetError(f"{len(drawn)} patient(s) of the class {name}: training and validation need one each")
        held_out = max(1, round(validation_share * len(drawn)))
        validation += drawn[:held_out]
        training += drawn[held_out:]
    rest = set(labels) - set(training) - set(validation)
    return slices.of_patients(training), slices.of_patients(validation), slices.of_patients(rest) if rest else None
