"""A segmenter that needs no body: the lower half of the slices is the first district, the upper half the second."""

import numpy as np

import ct2pet.api.planning
import ct2pet.districts
from ct2pet.districts import Segmentation, Segmenter
from ct2pet.errors import DatasetError


class Halves(Segmenter):
    """Unsure of the second district, by 0.3, where the CT's first voxel is brighter than air."""

    name = "halves"
    version = "1.2"
    districts = ("low", "high")
    options = ("weights",)

    def __init__(self, weights=None):
        self.weights = weights

    def settings(self):
        return {"part": 0.5}

    def segment(self, case, ct_hu, districts):
        if "unlucky" in case:
            raise DatasetError("nothing looks like a body")
        labels = np.zeros(ct_hu.grid.shape, np.uint8)
        middle = len(labels) // 2
        labels[:middle], labels[middle:] = districts["low"], districts["high"]
        unsure = ct_hu.array[0, 0, 0] > -900
        confidence = {"low": 0.98765, "high": 0.3 if unsure else 0.9}
        return Segmentation(ct_hu.with_array(labels), confidence, ("the upper half looks odd",) if unsure else ())


class OtherHalves(Halves):
    name = "other"
    version = "3"


class Bands(Halves):
    """Legs, trunk and head one upon the other, and the arms on the left."""

    name = "bands"
    districts = ("head", "trunk", "arms", "legs")

    def segment(self, case, ct_hu, districts):
        labels = np.zeros(ct_hu.grid.shape, np.uint8)
        for number, name in enumerate(("legs", "trunk", "head")):
            labels[number * len(labels) // 3 : (number + 1) * len(labels) // 3, 10:-10, 10:-10] = districts[name]
        labels[:, 10:-10, -20:-10] = districts["arms"]
        return Segmentation(ct_hu.with_array(labels), {"arms": 0.2})


def use_stubs(monkeypatch):
    """Let ``halves`` and ``other`` be segmenters, and ``rules`` be ``halves``."""
    load, stubs = (
        ct2pet.districts.load_segmenter,
        {"halves": Halves, "rules": Halves, "other": OtherHalves, "bands": Bands},
    )

    def stub(name):
        return stubs[name] if name in stubs else load(name)

    monkeypatch.setattr(ct2pet.districts, "load_segmenter", stub)
    monkeypatch.setattr(ct2pet.api.planning, "load_segmenter", stub)
