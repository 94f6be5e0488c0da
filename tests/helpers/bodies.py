"""Phantoms for the segmenter ``rules``: CT (HU) and the true districts, whole or the part that a view shows."""

from dataclasses import replace
from functools import cache, lru_cache

import numpy as np
from scipy import ndimage

from ct2pet.districts.body import Coarse
from ct2pet.districts.segmenters.rules.scene import Scene
from ct2pet.districts.segmenters.rules.segmenter import RulesSegmenter
from ct2pet.phantom import DEMO, DISTRICTS, make_patient
from ct2pet.phantom.anatomy import Anatomy
from ct2pet.phantom.imaging import render_ct, smooth_texture
from ct2pet.phantom.views import view
from ct2pet.volume import Grid


@lru_cache(maxsize=8)
def body(seed=0, arms="raised"):
    """The patient of a seed from head to toe, 4 mm voxels: patient, CT and true districts."""
    patient = replace(make_patient(seed), field_of_view="whole", arms=arms)
    anatomy = Anatomy(patient)
    organs = anatomy.organs(DEMO.ct_grid(patient))
    random = np.random.default_rng(seed)
    ct_hu = render_ct(patient, DEMO, organs, organs.array * 0, smooth_texture(organs.grid, random), random)
    return patient, organs.with_array(ct_hu, "HU"), anatomy.districts(organs), organs


def seen(name, seed=0, arms="raised"):
    """CT and truth of a view."""
    patient, ct, districts, _ = body(seed, arms)
    box = view(patient, districts, name)
    return ct.crop(box), districts.crop(box)


def segment(ct):
    return RulesSegmenter().segment("case", ct, DISTRICTS)


@cache
def segmented(name, seed=0, arms="raised"):
    """What the rules make of a view."""
    return segment(seen(name, seed, arms)[0])


def dice(found, truth):
    """Dice by the name of each district of which truth or map hold at least 50 ml."""
    scores = {}
    for name, label in DISTRICTS.items():
        a, b = found.array == label, truth.array == label
        if max(a.sum(), b.sum()) * truth.grid.voxel_ml > 50:
            scores[name] = 2 * (a & b).sum() / (a.sum() + b.sum())
    return scores


def scene_of(hu):
    """A scene of 4 mm voxels (Z, Y, X, HU): tissue is body, what is denser than 220 HU is bone."""
    hu = np.asarray(hu, dtype=np.float32)
    grid = Grid(hu.shape, (4.0, 4.0, 4.0))
    dense = (hu > 220).astype(np.float32)
    body = np.stack([ndimage.binary_fill_holes(axial > -300) for axial in hu])
    return Scene(Coarse(hu, dense, np.ones(hu.shape, bool), body, grid))


def rod(hu, centre, radius_mm, value, slices=slice(None), ratio=1.0):
    """Paint a rod along Z (centre y, x in voxels; ``ratio``: how much longer than deep its section is), in place."""
    y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
    inside = np.hypot(y - centre[0], (x - centre[1]) / ratio) * 4.0 <= radius_mm
    hu[slices, inside] = value
    return hu


def air(*shape):
    return np.full(shape, -1000.0, dtype=np.float32)
