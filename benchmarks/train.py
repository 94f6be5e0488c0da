"""Training: patches a second from the loader with paired augmentation, and steps a second of Pix2Pix, against peers.

Run: python benchmarks/train.py [--size quick|full]
The loaders read CT, PET and mask of the trunk of a whole-body case, rotate every patch by up to 10 degrees about three
axes, flip it along each axis half of the time and add noise to the CT. nnU-Net's loader does that with
batchgeneratorsv2, as nnU-Net; batchgenerators is what nnU-Net used before, order 1 is linear and order 3 its default.
A step: U-Net and PatchGAN, patches of 32 voxels, batches of 2, LSGAN and L1. The bare loop is the same step without
checks, clipping and log. pytorch-CycleGAN-and-pix2pix runs the discriminator three times and makes no use of bfloat16;
MONAI's AdversarialTrainer lets the discriminator see the PET alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _measure import Figures, benchmark, clocked, table

# Patches, and how many batches of 2 are timed.
PATCHES = {"quick": {32: 40, 64: 8}, "full": {32: 200, 64: 40, 96: 16}}
STEPS = {"quick": 8, "full": 40}
FEATURES = {"quick": 16, "full": 32}
BATCH, DEGREES, NOISE = 2, 10.0, 0.01


def configuration(patch: int, features: int, spacing: list[float]) -> Any:
    from ct2pet.planning.networks import plan_discriminator, plan_generator
    from ct2pet.planning.plans import (
        Augmentation,
        Configuration,
        CTNormalization,
        Masking,
        PETNormalization,
        Sampling,
    )
    from ct2pet.planning.topology import unet_topology

    size = [patch] * 3
    return Configuration(
        labels=[2],
        spacing=spacing,
        median_shape=size,
        patch_size=size,
        batch_size=BATCH,
        ct_normalization=CTNormalization(-200.0, 300.0),
        pet_normalization=PETNormalization(0.0, 20.0, True),
        masking=Masking("hard", 0.0),
        sampling=Sampling(0.0),
        augmentation=Augmentation([DEGREES] * 3, 1.0, [0, 1, 2], 0.5, NOISE, 1.0),
        tile_overlap=0.5,
        mirror_axes=[],
        generator=plan_generator(unet_topology(size, [1.0] * 3, 4), features, 320),
        discriminator=plan_discriminator(size, features),
    )


def prepare(folder: Path, size: str) -> None:
    """The trunk, as ct2pet and as nnU-Net store it."""
    import _nnunet
    import numpy as np
    from _whole_body import district_map, make_case

    from ct2pet.preprocessing import DistrictStore, case_on_plan_grid

    case = make_case("quick")
    pet = case["pet"]
    plan = configuration(32, 16, list(pet.grid.spacing))
    prepared = case_on_plan_grid(case["ct"], pet, district_map(case["ct"].grid), plan)
    assert prepared is not None
    DistrictStore(folder / "store").write("case", prepared, "", {})
    _nnunet.quietly()
    from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

    data = np.stack([prepared.district.ct, prepared.pet])
    seg = prepared.district.mask[None].astype(np.int16)
    voxels = np.argwhere(seg > 0)[::50]
    for patch in PATCHES[size]:
        own = folder / f"nnunet{patch}"
        own.mkdir(exist_ok=True)
        blocks, chunks = comp_blosc2_params(data.shape, (patch,) * 3, 4)
        seg_blocks, seg_chunks = comp_blosc2_params(seg.shape, (patch,) * 3, 2)
        nnUNetDatasetBlosc2.save_case(
            data, seg, {"class_locations": {1: voxels}}, str(own / "case"), chunks, blocks, seg_chunks, seg_blocks
        )
    (folder / "spacing").write_text(" ".join(map(str, pet.grid.spacing)))


def _spacing(folder: Path) -> list[float]:
    return [float(mm) for mm in (folder / "spacing").read_text().split()]


def _rates(size: str, batches: Callable[[int], Callable[[int], Any]]) -> dict[str, float]:
    """Patches a second, by the clock and of a processor; ``batches``(patch) gives the function of batch n."""
    told = {}
    for patch, count in PATCHES[size].items():
        batch = batches(patch)
        numbers = iter(range(count + 2))
        for _ in range(2):
            batch(next(numbers))
        seconds, _ = clocked(lambda batch=batch, numbers=numbers: batch(next(numbers)), count)
        told |= {f"rate{patch}": BATCH / seconds["inner_cpu"], f"wall_rate{patch}": BATCH / seconds["inner"]}
    return told


def load_ct2pet(folder: Path, size: str) -> dict[str, float]:
    from ct2pet.preprocessing import DistrictStore
    from ct2pet.training.augmentation import PairedAugmenter
    from ct2pet.training.data_loader import PatchLoader

    spacing = _spacing(folder)

    def batches(patch: int) -> Callable[[int], Any]:
        plan = configuration(patch, 16, spacing)
        augment = PairedAugmenter(plan.augmentation, plan.patch_size, spacing)
        store = DistrictStore(folder / "store")
        loader = PatchLoader(store, ["case"], plan.patch_size, BATCH, plan.sampling, 0, augment.margin)

        def batch(number: int) -> Any:
            found = loader.batch(number)
            return augment(found.tensors, found.seed)

        return batch

    return _rates(size, batches)


def _nnunet_loader(folder: Path, patch: int, transforms: Any) -> Any:
    import _nnunet

    _nnunet.quietly()
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    labels = PlansManager(_nnunet.plans([1.0] * 3, [patch] * 3)).get_label_manager(
        _nnunet.dataset_json({"background": 0, "trunk": 1})
    )
    margin = math.ceil(patch * (math.cos(math.radians(DEGREES)) + 2 * math.sin(math.radians(DEGREES))))
    data = nnUNetDatasetBlosc2(str(folder / f"nnunet{patch}"), ["case"])
    return nnUNetDataLoader(data, BATCH, (margin,) * 3, (patch,) * 3, labels, 1.0, transforms=transforms)


def load_nnunet(folder: Path, size: str) -> dict[str, float]:
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    limit = math.radians(DEGREES)

    def batches(patch: int) -> Callable[[int], Any]:
        transforms = ComposeTransforms(
            [
                SpatialTransform((patch,) * 3, 0, False, p_rotation=1.0, rotation=(-limit, limit)),
                GaussianNoiseTransform((NOISE**2, NOISE**2), 1, True),
                MirrorTransform((0, 1, 2)),
            ]
        )
        loader = _nnunet_loader(folder, patch, transforms)
        return lambda number: loader.generate_train_batch()

    return _rates(size, batches)


def load_batchgenerators(folder: Path, size: str, order: int) -> dict[str, float]:
    from batchgenerators.transforms.abstract_transforms import Compose
    from batchgenerators.transforms.noise_transforms import GaussianNoiseTransform
    from batchgenerators.transforms.spatial_transforms import MirrorTransform, SpatialTransform

    limit = math.radians(DEGREES)
    angles = {f"angle_{axis}": (-limit, limit) for axis in "xyz"}

    def batches(patch: int) -> Callable[[int], Any]:
        loader = _nnunet_loader(folder, patch, None)
        rotation = SpatialTransform(
            (patch,) * 3, do_elastic_deform=False, do_scale=False, order_data=order, random_crop=False, **angles
        )
        transforms = Compose([rotation, GaussianNoiseTransform((NOISE**2, NOISE**2)), MirrorTransform()])

        def batch(number: int) -> Any:
            found = loader.generate_train_batch()
            return transforms(data=found["data"].numpy(), seg=found["target"].numpy())

        return batch

    return _rates(size, batches)


def _batch(patch: int = 32) -> dict[str, Any]:
    import torch

    shape = (BATCH, 1, patch, patch, patch)
    random = torch.Generator().manual_seed(0)
    mask = torch.ones(shape, dtype=torch.bool)
    return {"ct": torch.rand(shape, generator=random) * 2 - 1, "pet": torch.rand(shape, generator=random), "mask": mask}


def _step_rate(size: str, step: Callable[[int], Any]) -> dict[str, float]:
    numbers = iter(range(STEPS[size] + 2))
    for _ in range(2):
        step(next(numbers))
    seconds, _ = clocked(lambda: step(next(numbers)), STEPS[size])
    return {"steps": 1 / seconds["inner"], "steps_cpu": 1 / seconds["inner_cpu"]}


def step_ct2pet(folder: Path, size: str, bfloat16: bool) -> dict[str, float]:
    import torch

    from ct2pet.models.pix2pix import Pix2Pix
    from ct2pet.training.optimization import Optimization

    if not bfloat16:
        torch.cpu._is_avx512_bf16_supported = lambda: False
    model = Pix2Pix(configuration(32, FEATURES[size], [1.0] * 3))
    optimization = Optimization(model, torch.device("cpu"), 1000, 100)
    batch = _batch()
    return _step_rate(size, lambda number: optimization.step(batch, number, ["case"]))


def _networks(size: str, channels: int = 2) -> tuple[Any, Any, Any, Any]:
    """Generator, discriminator and their Adam optimizers."""
    import torch

    from ct2pet.networks import build_network

    plan = configuration(32, FEATURES[size], [1.0] * 3)
    networks = build_network(plan.generator), build_network(plan.discriminator, in_channels=channels)
    rates = [torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in networks]
    return (*networks, *rates)  # type: ignore[return-value]


def step_bare(folder: Path, size: str, bfloat16: bool) -> dict[str, float]:
    import torch
    from torch.nn.functional import mse_loss

    generator, discriminator, of_generator, of_discriminator = _networks(size)
    batch = _batch()
    ct, real = batch["ct"], batch["pet"]

    def step(number: int) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            fake = generator(ct)
            pairs = torch.cat([torch.cat([ct, real], 1), torch.cat([ct, fake.detach()], 1)])
            on_real, on_fake = discriminator(pairs).float().chunk(2)
            loss = (mse_loss(on_real, torch.ones_like(on_real)) + mse_loss(on_fake, torch.zeros_like(on_fake))) / 2
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            on_fake = discriminator(torch.cat([ct, fake], 1)).float()
            loss = mse_loss(on_fake, torch.ones_like(on_fake)) + 100 * (fake.float() - real).abs().mean()
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        discriminator.requires_grad_(True)

    return _step_rate(size, step)


def step_pix2pix(folder: Path, size: str) -> dict[str, float]:
    """The published order: the discriminator on fake, on real, and again on fake for the generator."""
    import torch
    from torch.nn.functional import l1_loss, mse_loss

    generator, discriminator, of_generator, of_discriminator = _networks(size)
    batch = _batch()
    ct, real = batch["ct"], batch["pet"]

    def score(pet: Any, wanted: float) -> Any:
        found = discriminator(torch.cat([ct, pet], 1))
        return mse_loss(found, torch.full_like(found, wanted))

    def step(number: int) -> None:
        fake = generator(ct)
        discriminator.requires_grad_(True)
        of_discriminator.zero_grad()
        ((score(fake.detach(), 0.0) + score(real, 1.0)) / 2).backward()
        of_discriminator.step()
        discriminator.requires_grad_(False)
        of_generator.zero_grad()
        (score(fake, 1.0) + 100 * l1_loss(fake, real)).backward()
        of_generator.step()

    return _step_rate(size, step)


def step_monai(folder: Path, size: str) -> dict[str, float]:
    import torch
    from monai.engines import AdversarialTrainer
    from torch.nn.functional import l1_loss, mse_loss

    generator, discriminator, of_generator, of_discriminator = _networks(size, channels=1)
    batch = _batch()
    count = STEPS[size] + 2

    def batches() -> Iterator[dict[str, Any]]:
        for _ in range(count):
            yield {"image": batch["ct"], "label": batch["pet"]}

    def ones(scores: Any) -> Any:
        return mse_loss(scores, torch.ones_like(scores))

    def both(on_real: Any, on_fake: Any) -> Any:
        return (ones(on_real) + mse_loss(on_fake, torch.zeros_like(on_fake))) / 2

    trainer = AdversarialTrainer(
        torch.device("cpu"),
        max_epochs=1,
        train_data_loader=list(batches()),
        g_network=generator,
        g_optimizer=of_generator,
        g_loss_function=ones,
        recon_loss_function=lambda fake, real: 100 * l1_loss(fake, real),
        d_network=discriminator,
        d_optimizer=of_discriminator,
        d_loss_function=both,
    )
    seconds, _ = clocked(trainer.run)
    return {"steps": count / seconds["inner"], "steps_cpu": count / seconds["inner_cpu"]}


def report(figures: dict[str, Figures], size: str) -> str:
    loaders = {name[len("load ") :]: one for name, one in figures.items() if name.startswith("load ")}
    columns = {}
    for patch in PATCHES[size]:
        columns[f"rate{patch}"] = (f"{patch}³ a CPU s,", ".0f")
        columns[f"wall_rate{patch}"] = (f"{patch}³ a s", ".0f")
    steps = {name[len("step ") :]: one for name, one in figures.items() if name.startswith("step ")}
    of_steps = {
        "steps_cpu": ("a CPU s,", ".2f"),
        "steps": ("a s,", ".2f"),
        "peak_mib": ("peak MiB,", ".0f"),
    }
    return (
        f"{table(loaders, columns, 'patches, one process', 'ct2pet')}\n\n"
        f"{table(steps, of_steps, f'steps, {FEATURES[size]} features', 'ct2pet')}"
    )


ARMS = {
    "load ct2pet": load_ct2pet,
    "load nnU-Net, batchgeneratorsv2": load_nnunet,
    "load batchgenerators, order 1": functools.partial(load_batchgenerators, order=1),
    "load batchgenerators, order 3": functools.partial(load_batchgenerators, order=3),
    "step ct2pet": functools.partial(step_ct2pet, bfloat16=True),
    "step ct2pet, float32": functools.partial(step_ct2pet, bfloat16=False),
    "step bare loop": functools.partial(step_bare, bfloat16=True),
    "step bare loop, float32": functools.partial(step_bare, bfloat16=False),
    "step pytorch-CycleGAN-and-pix2pix's order": step_pix2pix,
    "step MONAI AdversarialTrainer": step_monai,
}

if __name__ == "__main__":
    benchmark(__file__, __doc__, ARMS, prepare, report)
