import numpy as np
import pytest
import torch
from hand_models import Scaled, hand_configuration
from tiny import tiny_configuration

from ct2pet.inference.stages import translate_volume
from ct2pet.models.base import StagedModel
from ct2pet.planning.requirements import Requirements


class FlatScaled(Scaled):
    """Sees slices."""

    requirements = Requirements(dimensions=2)
    seen = ()

    def translate(self, ct):
        type(self).seen += (tuple(ct.shape),)
        return super().translate(ct)


class Brighter(Scaled):
    """Gets what the stage before made as a CT would be, (CT + 1) / 2, and adds 0.25."""

    def translate(self, ct):
        return super().translate(ct) + 0.25


class TwoStages(StagedModel):
    requirements = Requirements(stages={"slices": FlatScaled.requirements, "stacks": Brighter.requirements})

    def build_stages(self, configuration):
        return {"slices": FlatScaled(configuration), "stacks": Brighter(configuration)}


@pytest.fixture
def volume():
    random = np.random.default_rng(0)
    region = np.zeros((12, 20, 18), bool)
    region[2:10, 3:17, 2:15] = True
    region[4:8, 3:9, 2:8] = False
    return random.uniform(-1, 1, region.shape).astype(np.float32), region


def make(kind):
    return kind(tiny_configuration(patch_size=[8, 8, 8])).eval()


@torch.inference_mode()
def test_a_method_in_2d_sees_slices_and_makes_a_volume(volume):
    ct, region = volume
    FlatScaled.seen = ()
    pet = translate_volume(make(FlatScaled), ct, region)
    np.testing.assert_allclose(pet, np.where(region, (ct + 1) / 2, 0), atol=1e-6)
    assert {shape[1:] for shape in FlatScaled.seen} == {(1, 16, 16)}
    assert max(shape[0] for shape in FlatScaled.seen) == 4  # as many at once as the plan has


@torch.inference_mode()
def test_the_second_stage_goes_on_with_what_the_first_made(volume):
    ct, region = volume
    for until, more in (("slices", 0.0), (None, 0.25)):
        pet = translate_volume(make(TwoStages), ct, region, until=until)
        np.testing.assert_allclose(pet, np.where(region, (ct + 1) / 2 + more, 0), atol=1e-6)


@torch.inference_mode()
def test_the_second_stage_sees_air_where_the_first_made_nothing(volume):
    ct, region = volume
    seen = []
    model = make(TwoStages)
    stage = model.stages["stacks"]
    stage.translate = lambda image: seen.append(image.clone()) or image
    translate_volume(model, ct, region)
    assert min(image.min() for image in seen) == -1


@torch.inference_mode()
def test_progress_adds_up_to_one(volume):
    shares = []
    translate_volume(make(TwoStages), *volume, progress=shares.append)
    assert sum(shares) == pytest.approx(1)


@torch.inference_mode()
def test_slices_are_not_mirrored_from_head_to_feet(volume):
    ct, region = volume
    kind = type("Sideways", (FlatScaled,), {"translate": lambda self, ct: ct.roll(1, dims=-1)})
    model = kind(hand_configuration(mirror_axes=[0, 2], patch_size=[8, 8, 8]))
    assert model.planned.mirror_axes == [2]
    mirrored = translate_volume(model, ct, region, mirror=True)
    left, right = np.roll(ct, 1, 2), np.roll(ct, -1, 2)
    inner = (slice(2, 10), slice(9, 17), slice(4, 13))
    np.testing.assert_allclose(mirrored[inner], ((left + right) / 2)[inner], atol=1e-6)
