"""Training: the command ct2pet_train as a function."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ct2pet import distributed
from ct2pet.api.at_once import done_or_raise, train_at_once
from ct2pet.api.device import choose_devices
from ct2pet.dataset.splits import fold_cases
from ct2pet.errors import TrainingError
from ct2pet.layout import CHECKPOINT_FINAL, DEFAULT_PLANS, seed_folder
from ct2pet.models import load_model
from ct2pet.outputs import check_output_folder
from ct2pet.parallel import map_cases
from ct2pet.paths import results_folder
from ct2pet.planning.plans import WHOLE_BODY
from ct2pet.preprocessing.folder import PreprocessedDataset
from ct2pet.sharing import unpacked
from ct2pet.sharing.box import archive_of
from ct2pet.training import TrainingOptions
from ct2pet.training.data_loader import default_workers
from ct2pet.training.request import TrainingRequest, train_one


def train(
    dataset: str | int,
    model: str,
    fold: int | str,
    options: TrainingOptions | None = None,
    *,
    configurations: Sequence[str] | None = None,
    plans_name: str = DEFAULT_PLANS,
    device: str | None = None,
    only_validate: bool = False,
    num_gpus: int = 1,
    pretrain_whole_body: bool = False,
    results: Path | None = None,
    **changes: Any,
) -> list[Path]:
    """Train ``model`` on one fold (0, 1, ... or "all") of every district, one after another; with ``num_gpus`` one per
    GPU. With several processes of torchrun, all of them train each district together.

    ``changes`` are TrainingOptions by name. ``pretrain_whole_body``: train the whole body first, unless it is finished,
    and initialize each district with its networks and weights. ``configurations``: only these (a district, or
    ``whole_body``). ``results``: folder of results (default: $ct2pet_results). With ``options.resume`` finished
    districts are skipped; without it they are refused, unless ``options.overwrite`` is set. Returns the folders of the
    trainings. Raises Ct2PetError subclasses: unknown names, missing preprocessed data, losses that are not finite. With
    several districts CasesFailed, after the others are trained.
    """
    options = replace(options or TrainingOptions(), **changes)
    devices = choose_devices(device, num_gpus)
    if len(devices) > 1 and distributed.launched_by_torchrun():
        raise TrainingError("-num_gpus trains one district per GPU, torchrun one district on all GPUs: use one of them")
    with distributed.process_group(devices[0]) as own_device, _unpacked_weights(options) as options:
        load_model(model)  # reports an unknown name before any work
        preprocessed = PreprocessedDataset.find(str(dataset))
        plans = preprocessed.plans(plans_name)
        if str(fold) != "all":
            fold_cases(preprocessed.splits(), fold, [])  # and an unknown fold
        names = list(configurations or plans.default_configurations)
        for name in names:
            plans.configuration(name)
        request = TrainingRequest(
            preprocessed, plans, model, fold, options, only_validate, pretrain_whole_body, results
        )
        for name in names:
            check_output_folder(request.folder(name))
        done = {}
        if pretrain_whole_body and not only_validate:
            done[WHOLE_BODY] = _whole_body(request, own_device, devices)
        done |= _train_all(request, [name for name in names if name not in done], own_device, devices)
        return [done[name] for name in names]


def train_seeds(
    dataset: str | int,
    model: str,
    fold: int | str,
    options: TrainingOptions | None = None,
    *,
    num_seeds: int,
    **others: Any,
) -> dict[int, list[Path]]:
    """Repeat a training with ``num_seeds`` seeds: that of the options and the next ones.

    The training with seed N is that of ``train`` with this seed; its folder of results is seed_N in $ct2pet_results.
    ``others``: as those of ``train``. Returns the folders of the trainings by seed. Raises as ``train`` does; the
    trainings of earlier seeds stay.
    """
    if distributed.launched_by_torchrun():
        raise TrainingError(
            "--seeds is not possible with torchrun; start torchrun for each --seed, with a ct2pet_results of its own"
        )
    options = options or TrainingOptions()
    folders = {}
    for seed in range(options.seed, options.seed + num_seeds):
        place = seed_folder(results_folder(), seed)
        folders[seed] = train(dataset, model, fold, replace(options, seed=seed), results=place, **others)
    return folders


@contextlib.contextmanager
def _unpacked_weights(options: TrainingOptions) -> Iterator[TrainingOptions]:
    """The options; initial weights in an archive are replaced by the temporary folder with its content."""
    archive = None if options.pretrained_weights is None else archive_of(options.pretrained_weights)
    if archive is None:
        yield options
    else:
        with unpacked(archive) as folder:
            yield replace(options, pretrained_weights=folder)


def _whole_body(request: TrainingRequest, own_device: str, devices: Sequence[str]) -> Path:
    """Train the whole body unless it is finished; returns the folder of the training."""
    request.plans.configuration(WHOLE_BODY)
    folder = request.folder(WHOLE_BODY)
    if not distributed.broadcast_object((folder / CHECKPOINT_FINAL).exists()):
        whole = replace(request, from_whole_body=False)
        if len(devices) == 1:
            return train_one(own_device, whole, WHOLE_BODY)
        train_at_once(train_one, {WHOLE_BODY: (whole, WHOLE_BODY)}, devices[:1])  # in a process that frees its GPU
    return folder


def _train_all(
    request: TrainingRequest, names: Sequence[str], own_device: str, devices: Sequence[str]
) -> dict[str, Path]:
    if len(names) == 1 or distributed.launched_by_torchrun():
        return {name: train_one(own_device, request, name) for name in names}
    if len(devices) == 1:
        return done_or_raise(map_cases(train_one, {name: (own_device, request, name) for name in names}))
    if request.options.num_workers is None:
        workers = default_workers(devices[0].split(":")[0], len(devices))
        request = replace(request, options=replace(request.options, num_workers=workers))
    return train_at_once(train_one, {name: (request, name) for name in names}, devices)


def options_from(arguments: dict[str, Any]) -> TrainingOptions:
    """TrainingOptions from parsed command-line arguments of the same names."""
    names = set(TrainingOptions.__dataclass_fields__) - {"device"}
    known = {name: value for name, value in arguments.items() if name in names}
    return TrainingOptions(**known)
