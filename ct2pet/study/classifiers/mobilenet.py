"""MobileNetV2 (Sandler et al., CVPR 2018) of torchvision, an optional package: it has to fit the torch beside it."""

from __future__ import annotations

from torch import nn

from ct2pet.study.classifiers.base import Classifier, optional_module

_INSTALL = "pip install 'ct2pet[mobilenet]', from where torch was installed"


def _build(channels: int, classes: int) -> nn.Module:
    models = optional_module("torchvision.models", "mobilenet", _INSTALL)
    network = models.mobilenet_v2(weights=None, num_classes=classes)
    first = network.features[0][0]
    network.features[0][0] = nn.Conv2d(channels, first.out_channels, 3, stride=2, padding=1, bias=False)
    return network


CLASSIFIER = Classifier(_build)
