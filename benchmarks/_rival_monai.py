"""MONAI's recipe for translation: its residual U-Net with the PatchGAN and the losses of its tutorials on generation.

L1 and 0.01 times the adversarial loss (least squares), Adam with 1e-3 for the U-Net, as in the tutorial of this network
(with 1e-4, as in those on generation, it has hardly changed after 200 s), and 5e-4 for the discriminator, random
patches of 64 voxels, and inference with a sliding window of the same size and Gaussian weights.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.inferers import SlidingWindowInferer
from monai.losses import PatchAdversarialLoss
from monai.networks.nets import PatchDiscriminator, UNet
from monai.transforms import Compose, RandSpatialCropd, ScaleIntensityRanged, SpatialPadd
from monai.utils import set_determinism

from ct2pet.volume import Volume

_PATCH, _BATCH, _SEED = 64, 2, 12345
_ADVERSARIAL, _RATE, _DISCRIMINATOR_RATE = 0.01, 1e-3, 5e-4
_SUV = 10.0  # is 1 in the network
_CT = {"a_min": -1000.0, "a_max": 1000.0, "b_min": 0.0, "b_max": 1.0, "clip": True}
_PET = {"a_min": 0.0, "a_max": _SUV, "b_min": 0.0, "b_max": 1.0, "clip": False}


def make_network() -> torch.nn.Module:
    return UNet(3, 1, 1, channels=(16, 32, 64, 128, 256), strides=(2, 2, 2, 2), num_res_units=2)


def train(work: Path, cases: Sequence[tuple[Volume, Volume]], seconds: float) -> int:
    """Train on pairs of CT and PET of one grid for ``seconds`` of processor time. Returns the steps, and writes the
    weights."""
    set_determinism(_SEED)
    data = [{"ct": ct.array[None].astype(np.float32), "pet": pet.array[None]} for ct, pet in cases]
    both = ["ct", "pet"]
    transform = Compose(
        [
            ScaleIntensityRanged("ct", **_CT),
            ScaleIntensityRanged("pet", **_PET),
            SpatialPadd(both, [_PATCH] * 3),
            RandSpatialCropd(both, [_PATCH] * 3, random_size=False),
        ]
    )
    loader = DataLoader(Dataset(data, transform), batch_size=_BATCH, shuffle=True, drop_last=len(data) >= _BATCH)
    generator, discriminator = make_network(), PatchDiscriminator(3, 32, in_channels=1, num_layers_d=3)
    adversarial = PatchAdversarialLoss(criterion="least_squares")
    optimizer = torch.optim.Adam(generator.parameters(), _RATE)
    other = torch.optim.Adam(discriminator.parameters(), _DISCRIMINATOR_RATE)
    steps, started = 0, time.process_time()
    while True:
        for batch in loader:
            if time.process_time() - started >= seconds:
                torch.save(generator.state_dict(), work / "weights.pth")
                return steps
            optimizer.zero_grad(set_to_none=True)
            fake, real = generator(batch["ct"].as_tensor()), batch["pet"].as_tensor()
            scores = discriminator(fake)[-1]
            loss = torch.nn.functional.l1_loss(fake, real)
            loss = loss + _ADVERSARIAL * adversarial(scores, target_is_real=True, for_discriminator=False)
            loss.backward()
            optimizer.step()
            other.zero_grad(set_to_none=True)
            pair = [
                adversarial(discriminator(image.detach())[-1], target_is_real=is_real, for_discriminator=True)
                for image, is_real in ((fake, False), (real, True))
            ]
            (sum(pair) * 0.5).backward()
            other.step()
            steps += 1


class Predictor:
    """The trained network in MONAI's sliding window."""

    def __init__(self, work: Path) -> None:
        self.network = make_network()
        self.network.load_state_dict(torch.load(work / "weights.pth", weights_only=True))
        self.network.eval()
        self.window = SlidingWindowInferer([_PATCH] * 3, 1, overlap=0.5, mode="gaussian")

    def __call__(self, ct: Volume, scratch: Path) -> np.ndarray:
        """SUV on the CT's grid."""
        scaled = ScaleIntensityRanged("ct", **_CT)({"ct": ct.array[None].astype(np.float32)})["ct"].as_tensor()
        with torch.inference_mode():
            return self.window(scaled[None], self.network)[0, 0].numpy() * _SUV
