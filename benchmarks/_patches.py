"""The loaders that the benchmark of training compares: each reads batches of random patches and augments them.

One thread each. All rotate every patch by up to 10 degrees about three axes, flip it along each axis half of the time
and add noise to the CT alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _measure import clocked
from _pix2pix import BATCH, DEGREES, NOISE, configuration

# Patches, and how many batches are timed.
PATCHES = {"quick": {32: 60, 64: 12}, "full": {32: 400, 64: 60, 96: 20}}
_WARM_UP = 4
_CASE = "case"


def prepare(folder: Path, size: str) -> None:
    """The trunk, as ct2pet and as nnU-Net store it."""
    import _nnunet
    import numpy as np
    from _whole_body import district_map, make_case

    from ct2pet.dataset.fields import ct_to_pet
    from ct2pet.preprocessing import DistrictStore, prepare_case

    case = make_case(size)
    pet = case["pet"]
    plan = configuration(32, 16, list(pet.grid.spacing))
    volumes = {"CT": case["ct"], "PET": pet}
    prepared = prepare_case(volumes, district_map(case["ct"].grid), plan, ct_to_pet())
    assert prepared is not None
    DistrictStore(folder / "store").write(_CASE, prepared, "", {})
    _nnunet.quietly()
    from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

    data = np.stack([*prepared.images.values()])
    seg = prepared.mask[None].astype(np.int16)
    voxels = np.argwhere(seg > 0)[::50]
    for patch in PATCHES[size]:
        own = folder / f"nnunet{patch}"
        own.mkdir(exist_ok=True)
        blocks, chunks = comp_blosc2_params(data.shape, (patch,) * 3, 4)
        seg_blocks, seg_chunks = comp_blosc2_params(seg.shape, (patch,) * 3, 2)
        nnUNetDatasetBlosc2.save_case(
            data, seg, {"class_locations": {1: voxels}}, str(own / _CASE), chunks, blocks, seg_chunks, seg_blocks
        )
    (folder / "spacing").write_text(" ".join(map(str, pet.grid.spacing)))


def _spacing(folder: Path) -> list[float]:
    return [float(mm) for mm in (folder / "spacing").read_text().split()]


def _rates(size: str, batches: Callable[[int], Callable[[int], Any]]) -> dict[str, float]:
    """Patches a second, by the clock and of a processor; ``batches``(patch) gives the function of batch n."""
    import torch

    torch.set_num_threads(1)
    told = {}
    for patch, count in PATCHES[size].items():
        batch = batches(patch)
        numbers = iter(range(count + _WARM_UP))
        for _ in range(_WARM_UP):
            batch(next(numbers))
        seconds, _ = clocked(lambda batch=batch, numbers=numbers: batch(next(numbers)), count)
        told |= {f"rate{patch}": BATCH / seconds["inner_cpu"], f"wall_rate{patch}": BATCH / seconds["inner"]}
    return told


def ct2pet(folder: Path, size: str) -> dict[str, float]:
    from ct2pet.dataset.fields import ct_to_pet
    from ct2pet.preprocessing import DistrictStore
    from ct2pet.training.augmentation import Augmenter
    from ct2pet.training.data_loader import BatchPlan, PatchLoader

    spacing = _spacing(folder)

    def batches(patch: int) -> Callable[[int], Any]:
        plan = configuration(patch, 16, spacing)
        augment = Augmenter(plan, ct_to_pet())
        store = DistrictStore(folder / "store")
        batches_of = BatchPlan(BATCH, 0, augment.margin, augment.margin_of)
        loader = PatchLoader(store, [_CASE], plan, ct_to_pet(), batches_of)

        def batch(number: int) -> Any:
            found = loader.batch(number)
            return augment(found.tensors, found.seeds)

        return batch

    return _rates(size, batches)


def _nnunet_loader(folder: Path, patch: int, transforms: Any) -> Any:
    """nnU-Net's loader, with as many voxels around the patch as it plans for the rotation."""
    import _nnunet

    _nnunet.quietly()
    from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    labels = PlansManager(_nnunet.plans([1.0] * 3, [patch] * 3)).get_label_manager(
        _nnunet.dataset_json({"background": 0, "trunk": 1})
    )
    source = get_patch_size((patch,) * 3, *[math.radians(DEGREES)] * 3, (1.0, 1.0))
    data = nnUNetDatasetBlosc2(str(folder / f"nnunet{patch}"), [_CASE])
    return nnUNetDataLoader(data, BATCH, source, (patch,) * 3, labels, 1.0, transforms=transforms)


def nnunet(folder: Path, size: str, **mask: Any) -> dict[str, float]:
    """The present one, with batchgeneratorsv2; ``mask``: the rotation of the mask."""
    import torch
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms

    limit = math.radians(DEGREES)

    def batches(patch: int) -> Callable[[int], Any]:
        transforms = ComposeTransforms(
            [
                SpatialTransform((patch,) * 3, 0, False, p_rotation=1.0, rotation=(-limit, limit), **mask),
                GaussianNoiseTransform((NOISE, NOISE), torch.tensor([1.0, 0.0]), True),  # the CT's channel alone
                MirrorTransform((0, 1, 2)),
            ]
        )
        loader = _nnunet_loader(folder, patch, transforms)
        return lambda number: loader.generate_train_batch()

    return _rates(size, batches)


def batchgenerators(folder: Path, size: str, order: int) -> dict[str, float]:
    """The earlier augmentation of nnU-Net; ``order`` of the splines."""
    from batchgenerators.transforms.noise_transforms import GaussianNoiseTransform
    from batchgenerators.transforms.spatial_transforms import MirrorTransform, SpatialTransform

    limit = math.radians(DEGREES)
    angles = {f"angle_{axis}": (-limit, limit) for axis in "xyz"}

    def batches(patch: int) -> Callable[[int], Any]:
        loader = _nnunet_loader(folder, patch, None)
        rotate = SpatialTransform(
            (patch,) * 3, do_elastic_deform=False, do_scale=False, order_data=order, random_crop=False, **angles
        )
        add_noise, flip = GaussianNoiseTransform((NOISE, NOISE)), MirrorTransform()

        def batch(number: int) -> Any:
            found = loader.generate_train_batch()
            rotated = rotate(data=found["data"].numpy(), seg=found["target"].numpy())
            rotated["data"][:, :1] = add_noise(data=rotated["data"][:, :1])["data"]
            return flip(**rotated)

        return batch

    return _rates(size, batches)


ARMS = {
    "ct2pet": ct2pet,
    "nnU-Net, batchgeneratorsv2": functools.partial(nnunet, border_mode_seg="constant", padding_value_seg=-1),
    "the same, mask to the nearest voxel": functools.partial(nnunet, mode_seg="nearest"),
    "batchgenerators, order 1": functools.partial(batchgenerators, order=1),
    "batchgenerators, order 3": functools.partial(batchgenerators, order=3),
}
