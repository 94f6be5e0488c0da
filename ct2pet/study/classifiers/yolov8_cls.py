"""YOLOv8n-cls of Ultralytics, an optional package under the AGPL-3.0: who distributes a program that uses it, or offers
it over a network, must offer that program's source under the AGPL-3.0, too, or buy another licence. ct2pet itself does
not contain it. The network is built from the description in the package, with random weights; nothing is downloaded.
"""

from __future__ import annotations

import logging
import os

import torch
from torch import nn

from ct2pet.study.classifiers.base import Classifier, optional_module

_INSTALL = "pip install 'ct2pet[yolov8]' (licence: AGPL-3.0)"
_DESCRIPTION = "yolov8n-cls.yaml"


class _Logits(nn.Module):
    """The network's head answers logits while training, and (probabilities, logits) otherwise."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer = self.network(images)
        return answer[1] if isinstance(answer, tuple) else answer


def _build(channels: int, classes: int) -> nn.Module:
    os.environ.setdefault("YOLO_OFFLINE", "True")  # no look for a network connection at the import
    tasks = optional_module("ultralytics.nn.tasks", "yolov8_cls", _INSTALL)
    logging.getLogger("ultralytics").setLevel(logging.WARNING)  # it prints a summary of every network
    return _Logits(tasks.ClassificationModel(_DESCRIPTION, ch=channels, nc=classes, verbose=False))


CLASSIFIER = Classifier(_build)
