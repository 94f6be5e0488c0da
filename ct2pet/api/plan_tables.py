"""Plans and the cost of their training as printed tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ct2pet.api.device import choose_device
from ct2pet.console import duration, say, table
from ct2pet.dataset.fields import LABELS
from ct2pet.errors import Ct2PetError
from ct2pet.fingerprint.fingerprint import Fingerprint
from ct2pet.layout import DEFAULT_PLANS
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.plans import Plans
from ct2pet.planning.reference import reference_methods
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.training.cost import TrainingCost, estimated_memory_gib, training_cost

_GENERATOR = "generator"
_BYTES = {True: 1, False: 2}  # per stored voxel; True: label map or mask, False: image


def planned_model(plans: Plans) -> str:
    """The method that the plans' patches and batches are made for; of several the first."""
    return str([*(plans.settings.get("sized_for") or reference_methods(plans.plans_name)), *plans.models][0])


def show_plan(plans: Plans) -> None:
    """Print the plan of every region."""
    model = planned_model(plans)
    device = str(plans.settings.get("device") or choose_device(None))
    header = ["Region", "Spacing [mm]", "Patch [voxels]", "Batch", f"Memory of {model} [GiB]", "Generator"]
    rows = [
        [
            name,
            _by_axes(planned.spacing, "g"),
            _by_axes(planned.patch_size, "d"),
            str(planned.batch_size),
            _memory(estimated_memory_gib(plans, name, model, device)),
            _network(planned),
        ]
        for name, planned in plans.configurations.items()
    ]
    table(f"Plans {plans.plans_name} of {plans.dataset_name} for training on {device} (axes Z, Y, X)", header, rows)


def show_next(plans: Plans, configurations: Sequence[str] | None = None) -> None:
    """Print the next command after preprocessing of ``configurations`` (default: all of the plans)."""
    options = "" if plans.plans_name == DEFAULT_PLANS else f" -p {plans.plans_name}"
    options += f" -c {' '.join(configurations)}" if configurations else ""
    print(f"next: ct2pet_train {_number(plans.dataset_name)} {planned_model(plans)} all{options}")


def _number(dataset_name: str) -> str:
    """The number of a dataset as used in commands: 001 of Dataset001_NAME."""
    return dataset_name.removeprefix("Dataset").split("_")[0]


def _by_axes(numbers: Sequence[float], form: str) -> str:
    return " × ".join(f"{value:{form}}" for value in numbers)


def _memory(gib: float | None) -> str:
    return "–" if gib is None else f"{gib:.1f}"


def _network(planned: Configuration) -> str:
    role = _GENERATOR if _GENERATOR in planned.networks else next(iter(planned.networks), "")
    if not role:
        return "–"
    network = planned.networks[role]
    features = network.arguments.get("features_per_stage")
    name = network.network_class.rsplit(".", 1)[-1]
    if not isinstance(features, list | tuple):
        return name
    return f"{name}, {len(features)} stages, {features[0]} to {features[-1]} features"


def show_costs(plans: Plans) -> None:
    """Time training steps of every region and print time, memory and disk space of the trainings.

    Prints a note instead where this machine does not have the device of the plans.
    """
    model = planned_model(plans)
    device = str(plans.settings.get("device") or choose_device(None))
    try:
        choose_device(device)
    except Ct2PetError:
        say(f"training time not estimated: the plans are for {device}, which this machine does not have")
        return
    fingerprint = Fingerprint.load(PreprocessedDataset.find(plans.dataset_name).fingerprint_file)
    header = ["Region", "Step", "Steps", "Time", "Memory [GiB]", "Checkpoints [GB]", "Data, at most [GB]"]
    rows, costs = [], []
    for name, planned in plans.configurations.items():
        cost = training_cost(plans, name, model, device)
        costs.append(cost)
        data = len(fingerprint.districts[name].cases) * _stored_gb(plans, planned)
        rows.append([name, *_texts(cost), f"{data:.2g}"])
    table(f"Cost of training {model} on this machine ({device})", header, rows)
    trained = plans.default_configurations
    seconds = sum(cost.seconds for name, cost in zip(plans.configurations, costs) if name in trained)
    print(
        f"the {len(trained)} region(s) that ct2pet_train trains by default, one after another: about "
        f"{duration(seconds)} per fold, without validation"
    )


def _texts(cost: TrainingCost) -> Iterator[str]:
    yield f"{cost.seconds_per_step:.2f} s"
    yield str(cost.steps)
    yield duration(cost.seconds)
    yield _memory(cost.memory_gib)
    yield f"{cost.checkpoints_gb:.2g}"


def _stored_gb(plans: Plans, planned: Configuration) -> float:
    """The preprocessed images and labels of a median case before compression, in GB."""
    fields = [*plans.all_fields.inputs, *plans.all_fields.targets]
    per_voxel = sum(_BYTES[one.kind == LABELS] for one in fields) + _BYTES[True]
    return math.prod(planned.median_shape) * per_voxel / 1e9
