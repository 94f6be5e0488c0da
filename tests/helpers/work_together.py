"""Work for several processes, as torchrun starts them, which one process can do, too."""

import contextlib
import multiprocessing
import os
import socket
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import ldos_models
import torch
from class_images import FIELDS as CLASS_FIELDS
from class_images import class_configuration
from tiny import FIELDS, NO_AUGMENTATION, tiny_configuration, tiny_plans
from trainings import ROTATIONS, PulledPlugError, make_trainer

from ct2pet import distributed
from ct2pet.models import load_model
from ct2pet.preprocessing import DistrictStore
from ct2pet.training import optimization
from ct2pet.training.optimization import Optimization
from ct2pet.training.schedule import Schedule

LENGTH = {"num_epochs": 4, "iterations_per_epoch": 3, "decay_epochs": 2}
NUMBERS = {"cyclegan": {"pool_size": 3}, "pix2pix": {"accumulate_batches": 2}}
CASES = (["A0", "A1"], ["A2", "A3"])


def together(function, count, *arguments):
    """What ``function(*arguments)`` gives in each of ``count`` processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(_joined, function, rank, count, port, arguments) for rank in range(count)]
        return [future.result() for future in waiting]


def _joined(function, rank, count, port, arguments):
    names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": 1}
    os.environ.update({name: str(value) for name, value in names.items()}, MASTER_ADDR="127.0.0.1")
    torch.set_num_threads(1)
    with distributed.process_group("cpu"):
        return function(*arguments)


def messages():
    """What every function of ct2pet.distributed returns to this process."""
    rank = distributed.rank()
    tensors = [torch.tensor([1.0, 2.0]) * (rank + 1), torch.tensor(10.0 * rank)]
    distributed.all_reduce_mean(tensors)
    return {
        "world_size": distributed.world_size(),
        "is_main_process": distributed.is_main_process(),
        "batch_share": distributed.batch_share(6),
        "all_reduce_mean": [tensor.tolist() for tensor in tensors],
        "all_reduce_sum": distributed.all_reduce_sum([1.0, rank]),
        "share_of_mean": [float(distributed.share_of_mean(torch.tensor(w))) for w in (1 + 2 * rank, 4 * rank, 0)],
        "all_gather": distributed.all_gather(torch.full((1, 2), rank, dtype=torch.bfloat16)).tolist(),
        "all_gather_object": distributed.all_gather_object(f"of {rank}"),
        "broadcast_object": distributed.broadcast_object(f"of {rank}"),
    }


def tiny(name):
    """A tiny method by its name, of a staged one a stage as METHOD.STAGE, with the same weights in every process. A
    method that accumulates batches (see NUMBERS) computes sample by sample."""
    torch.manual_seed(0)
    name, _, stage = name.partition(".")
    if name == "ldos":
        return ldos_models.make()
    method = load_model(name)(tiny_configuration(batch_size=1), FIELDS, NUMBERS.get(name))
    return method.stages[stage] if stage else method


def losses_and_weights(name, steps=3):
    """Train a method (see ``tiny``) in float64 on batches of four, of which each process has its share. ``float()`` in
    its losses and networks is float64, too."""
    before, to_float = torch.get_default_dtype(), torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    optimization.precision_of, precision = lambda device: None, optimization.precision_of
    try:
        model = tiny(name)
        updates = Optimization(model, torch.device("cpu"), Schedule(steps, 1, 1))
        losses = [updates.step(_batch(number, model), number, ["case"]) for number in range(steps)]
    finally:
        torch.set_default_dtype(before)
        torch.Tensor.float = to_float
        optimization.precision_of = precision
    return losses, model.state_dict()


def _batch(number, model):
    """This process's share of four samples whose masks differ in size, and of whose labels some are rare or missing."""
    random = torch.Generator().manual_seed(number)
    shape = (4, 1, *[16] * model.requirements.dimensions)
    shares = torch.tensor([0.9, 0.5, 0.1, 0.0]).view(-1, *[1] * (len(shape) - 1))
    batch = {}
    for one in (*model.fields.inputs, *model.fields.targets):
        image = torch.rand(shape, generator=random)
        batch[one.name] = (image < shares / 2).long() + (image < shares / 20) if one.rules.is_labels else image
    batch |= {key: torch.rand(shape, generator=random) < shares for key in ("mask", "target_mask", "lesions")}
    return {key: tensor[distributed.batch_share(4)] for key, tensor in batch.items()}


def train(store, folder, **options):
    """A whole training in float32 of networks without the biases that their norms take away (whose gradients are
    rounding errors alone, and Adam's steps as large as any); the names of the files."""
    configuration = tiny_configuration(augmentation=replace(NO_AUGMENTATION, **ROTATIONS))
    generator = configuration.network("generator")
    generator = replace(generator, arguments={**generator.arguments, "conv_bias": False})
    networks = {**configuration.networks, "generator": generator}
    plans = replace(
        tiny_plans(),
        configurations={"trunk": replace(configuration, networks=networks)},
        models={"pix2pix": LENGTH},
    )
    optimization.precision_of, precision = lambda device: None, optimization.precision_of
    try:
        make_trainer(DistrictStore(store), folder, plans, cases=CASES, final_validation=True, **options).run()
    finally:
        optimization.precision_of = precision
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def noise():
    """The noise of a MedScanGAN's step in this process, and what torch draws after it."""
    torch.manual_seed(0)
    model = load_model("medscangan")(class_configuration(), CLASS_FIELDS)
    return model._noise(2, model._random()).tolist(), torch.rand(2).tolist()


def everything(methods, store, folder):
    """All of the work at once, because starting processes takes longer. A second training stops after half of its
    epochs."""
    whole = {
        "messages": messages(),
        "noise": noise(),
        "methods": {name: losses_and_weights(name) for name in methods},
        "files": train(store, folder),
    }
    half(store, folder.with_name("part"))
    return whole


def half(store, folder):
    """Train until the middle of the third epoch."""
    step, last = Optimization.step, 2 * LENGTH["iterations_per_epoch"] + 1

    def until(self, batch, number, cases):
        if number == last:
            raise PulledPlugError
        return step(self, batch, number, cases)

    Optimization.step = until
    with contextlib.suppress(PulledPlugError):
        train(store, folder)
    Optimization.step = step
