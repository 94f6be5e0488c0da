"""VGG-16 (Simonyan and Zisserman, ICLR 2015) of dynamic_network_architectures: with batch normalisation, and with
convolutions in place of the large linear layers."""

from __future__ import annotations

from dynamic_network_architectures.architectures.vgg import VGG16
from torch import nn

from ct2pet.study.classifiers.base import Classifier, KeepBatchAxis


def _build(channels: int, classes: int) -> nn.Module:
    return KeepBatchAxis(VGG16(classes, channels))


CLASSIFIER = Classifier(_build, learning_rate=3e-4)
