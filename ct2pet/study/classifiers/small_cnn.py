"""Four convolutions: for studies on a CPU, and for few patients."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from ct2pet.study.classifiers.base import Classifier

_FEATURES = (16, 32, 64, 64)


def _build(channels: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in pairwise((channels, *_FEATURES)):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(_FEATURES[-1], classes))


CLASSIFIER = Classifier(_build, learning_rate=2e-3, least_pixels=16)
