"""The model card of a shared model, for its recipients (Mitchell et al., FAT* 2019, doi
10.1145/3287560.3287596)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ct2pet.dataset import Fields
from ct2pet.layout import CHECKPOINT_FINAL
from ct2pet.sharing.archive import Manifest


@dataclass(frozen=True)
class TrainingFacts:
    """One fold of a configuration. ``cases``: number of training cases; ``epochs``: number of trained epochs;
    ``spacing_mm`` and ``patch_size``: Z, Y, X; None or empty where unknown."""

    configuration: str
    fold: str
    cases: int | None
    epochs: int | None
    spacing_mm: Sequence[float]
    patch_size: Sequence[int]


@dataclass(frozen=True)
class ValidationFacts:
    """The mean absolute error (SUV) of the ``cases`` validation cases of the fold."""

    configuration: str
    fold: str
    mae_suv: float
    cases: int


@dataclass(frozen=True)
class ModelFacts:
    """The content of a model card. ``about``: name, licence and reference of the dataset, if known."""

    manifest: Manifest
    fields: Fields
    districts: Mapping[str, int]
    trainings: Sequence[TrainingFacts]
    validations: Sequence[ValidationFacts]
    about: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def model_card(facts: ModelFacts) -> str:
    """The card as Markdown."""
    manifest = facts.manifest
    parts = [
        f"# {manifest.model} ({manifest.plans_name}) of {manifest.dataset_name}",
        f"A model of ct2pet {manifest.ct2pet_version}: {_purpose(facts.fields)}.",
        "## Use",
        _use(manifest),
        "**Research only.** This model is not a medical device. Its images are estimates and must not be used for "
        "diagnosis, staging or treatment planning.",
        "## Inputs and outputs",
        _table(("", "name", "kind", "unit"), _field_rows(facts.fields)),
        _districts(facts.districts),
        "## Training",
        _table(
            ("configuration", "fold", "training cases", "epochs", "spacing Z, Y, X [mm]", "patch Z, Y, X [voxels]"),
            [_training_row(one) for one in facts.trainings],
        ),
        _sentence("Software", facts.versions),
        _sentence("Dataset", facts.about),
        "## Validation",
        _validation(facts.validations),
        "## Files",
        "`model.json` lists size and SHA-256 of every file. The archive contains no case, no name of a case or "
        "patient, and no path of the exporting machine.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _purpose(fields: Fields) -> str:
    targets = " and ".join(one.name for one in fields.targets)
    inputs = " and ".join(one.name for one in fields.inputs)
    return (
        f"it predicts {targets} from {inputs}"
        if inputs
        else f"it synthesizes {targets} of a class, without an input image"
    )


def _use(manifest: Manifest) -> str:
    checkpoint = "" if manifest.checkpoint == CHECKPOINT_FINAL else f" -chk {manifest.checkpoint}"
    return (
        "```bash\n"
        "ct2pet_install_model MODEL.zip\n"
        f"ct2pet_predict -i INPUT -o OUTPUT -d {manifest.dataset_name} -m {manifest.model} -p {manifest.plans_name}"
        f"{checkpoint}\n"
        "```\n\n"
        f"or, without installing, `ct2pet_predict -i INPUT -o OUTPUT --model MODEL.zip{checkpoint}`."
    )


def _field_rows(fields: Fields) -> list[tuple[str, ...]]:
    roles = (("input", fields.inputs), ("output", fields.targets), ("condition", fields.conditions))
    return [(role, one.name, one.kind, one.unit) for role, own in roles for one in own]


def _districts(districts: Mapping[str, int]) -> str:
    if not districts:
        return "The body is found in the input; there are no districts."
    return "Districts and their labels: " + ", ".join(f"{name} {label}" for name, label in districts.items()) + "."


def _training_row(one: TrainingFacts) -> tuple[str, ...]:
    spacing = ", ".join(f"{mm:g}" for mm in one.spacing_mm)
    patch = ", ".join(map(str, one.patch_size))
    return (one.configuration, one.fold, _known(one.cases), _known(one.epochs), spacing, patch)


def _known(number: int | None) -> str:
    return "unknown" if number is None else str(number)


def _sentence(title: str, values: Mapping[str, str]) -> str:
    return f"{title}: " + ", ".join(f"{name} {value}" for name, value in values.items()) + "." if values else ""


def _validation(validations: Sequence[ValidationFacts]) -> str:
    if not validations:
        return "This model has no record of errors on cases that were not used for training."
    rows = [(one.configuration, one.fold, f"{one.mae_suv:.3f}", str(one.cases)) for one in validations]
    return (
        "Mean absolute error inside each configuration's region, for the validation cases of each fold, which were not "
        "used for its training:\n\n" + _table(("configuration", "fold", "MAE [SUV]", "cases"), rows)
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
