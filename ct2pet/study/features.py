"""Numbers that describe a slice, for distances between sets of images. All are computed offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ct2pet.errors import CheckpointError, Ct2PetError
from ct2pet.study.classification import TrainedClassifier
from ct2pet.study.classifiers.base import optional_module
from ct2pet.study.slices import Slices, to_network

_AT_ONCE = 128
_LEAST_DEVIATION = 0.1  # of the median deviation of all features
_WIDTHS = (16, 32, 64)
_RANDOM_SEED = 19
_INCEPTION_PIXELS = 299
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Extractor:
    """``name`` says whose features they are; ``network`` maps images (N, C, Y, X) to features (N, F). The features of
    slices are computed once: the same real ones are compared with several sets."""

    name: str
    network: Callable[[torch.Tensor], torch.Tensor]
    _known: list[tuple[Slices, np.ndarray]] = field(default_factory=list, repr=False, compare=False)

    def __call__(self, slices: Slices) -> np.ndarray:
        """float64 (N, F)."""
        for known, features in self._known:
            if known is slices:
                return features
        images = torch.from_numpy(to_network(slices.images, slices.channels))
        with torch.no_grad():
            found = torch.cat([self.network(part).double() for part in images.split(_AT_ONCE)]).numpy()
        self._known.append((slices, found))
        return found


def feature_scales(real: np.ndarray) -> np.ndarray:
    """The size of each feature (F,) in real images (N, F), by which features are divided before they are compared:
    those of a random network have arbitrary sizes.

    It is the standard deviation, but at least a tenth of the median of those above 0: a feature that is 0 in nearly all
    real images has nearly no deviation, and a single other value of it would be most of any distance.
    """
    deviations = real.std(axis=0)
    varying = deviations[deviations > 0]
    least = _LEAST_DEVIATION * float(np.median(varying)) if varying.size else 1.0
    return np.maximum(deviations, least)


def random_features(channels: int, seed: int = _RANDOM_SEED) -> Extractor:
    """Features of a convolutional network with fixed random weights: the mean and the standard deviation of each map of
    its three layers. Such features compare images nearly as well as trained ones, and need no download (Naeem et al.,
    ICML 2020, section 4)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise((channels, *_WIDTHS))]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def network(images: torch.Tensor) -> torch.Tensor:
        found = []
        for layer in layers:
            images = functional.relu(layer(images))
            found += [images.mean(dim=(2, 3)), images.std(dim=(2, 3))]
        return torch.cat(found, dim=1)

    return Extractor("random network", network)


def classifier_features(trained: TrainedClassifier) -> Extractor:
    """The input of the last nn.Linear of a classifier that was trained on real slices. Raises Ct2PetError where it has
    no such layer."""
    linear = [module for module in trained.network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise Ct2PetError("the classifier has no linear layer, whose input could serve as features; take another one")

    def network(images: torch.Tensor) -> torch.Tensor:
        seen: list[torch.Tensor] = []
        handle = linear[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            trained.network.eval()(images.to(trained.device))
        finally:
            handle.remove()
        return seen[0].reshape(len(images), -1).cpu()

    return Extractor("classifier", network)


def inception_features(weights: Path) -> Extractor:
    """The 2048 features of torchvision's Inception-v3 with the weights of a file (a state dict, as torchvision offers
    it).

    Slices are scaled to 299 x 299 pixels and copied to three channels; of several channels each is taken alone and the
    features are joined. These are not the weights of the usual Fréchet inception distance (TensorFlow's), so that the
    numbers compare with each other only. Raises PluginError without torchvision, CheckpointError for an unfit file.
    """
    if not weights.is_file():
        raise CheckpointError(f"{weights}: no such file")
    models = optional_module("torchvision.models", "--inception_weights", "pip install 'ct2pet[mobilenet]'")
    network = models.inception_v3(weights=None, init_weights=False)
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{weights}: no weights of torchvision's Inception-v3 ({reason})") from None
    network.fc = nn.Identity()
    network.eval()
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (_IMAGENET_MEAN, _IMAGENET_DEVIATION))

    def features(images: torch.Tensor) -> torch.Tensor:
        return torch.cat([network((_as_photographs(images[:, [c]]) - mean) / deviation) for c in _range(images)], dim=1)

    return Extractor("inception", features)


def _range(images: torch.Tensor) -> Sequence[int]:
    return range(images.shape[1])


def _as_photographs(channel: torch.Tensor) -> torch.Tensor:
    """Network values (N, 1, Y, X), -1 to about 3, as 0 to 1 in three channels."""
    size = (_INCEPTION_PIXELS, _INCEPTION_PIXELS)
    scaled = functional.interpolate((channel + 1) / 4, size, mode="bilinear", antialias=True)
    return scaled.clamp(0, 1).expand(-1, 3, -1, -1)
