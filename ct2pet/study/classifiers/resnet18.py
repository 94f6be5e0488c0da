"""ResNet-18 (He et al., CVPR 2016), as the ResNet-D of dynamic_network_architectures (He et al., CVPR 2019)."""

from __future__ import annotations

from dynamic_network_architectures.architectures.resnet import ResNet18
from torch import nn

from ct2pet.study.classifiers.base import Classifier, KeepBatchAxis


def _build(channels: int, classes: int) -> nn.Module:
    return KeepBatchAxis(ResNet18(classes, channels))


CLASSIFIER = Classifier(_build)
