import itertools

import numpy as np
import pytest
import torch
from hand_models import Scaled, hand_configuration
from tiny import FIELDS, tiny_configuration
from two_targets import (
    TWO_OF_BOTH,
    ScaledAndThresholded,
    expected_organs,
    expected_pet,
    two_target_configuration,
)

from ct2pet.inference.sliding_window import SlidingWindow
from ct2pet.inference.volumes import WindowOptions, predict_volume
from ct2pet.models.base import StagedMethod
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.planning.requirements import FieldNeeds, Requirements
from ct2pet.preprocessing.normalization import denormalize, normalize


class FlatScaled(Scaled):
    """Sees slices."""

    requirements = Requirements(dimensions=2)
    seen = ()

    def translate(self, inputs):
        type(self).seen += (tuple(inputs.shape),)
        return super().translate(inputs)


class Brighter(Scaled):
    """What the stage before predicted, in the range of a CT, becomes (input + 1) / 2, and 0.25 is added."""

    def translate(self, inputs):
        return super().translate(inputs) + 0.25


class ThreeStages(StagedMethod):
    requirements = Requirements(
        stages={"slices": FlatScaled.requirements, "stacks": Brighter.requirements, "last": Brighter.requirements}
    )

    def build_stages(self, configuration, fields):
        drafts = draft_configuration(configuration, fields), draft_fields(fields)
        return {"slices": FlatScaled(configuration, fields), "stacks": Brighter(*drafts), "last": Brighter(*drafts)}


@pytest.fixture
def volume():
    random = np.random.default_rng(0)
    region = np.zeros((12, 20, 18), bool)
    region[2:10, 3:17, 2:15] = True
    region[4:8, 3:9, 2:8] = False
    return random.uniform(-1, 1, region.shape).astype(np.float32), region


def make(kind):
    return kind(tiny_configuration(patch_size=[8, 8, 8]), FIELDS).eval()


def pet_of(method, ct, region, options=None, **more):
    return predict_volume([method], {"CT": ct}, region, options, **more)["PET"]


@torch.inference_mode()
def test_a_method_in_2d_predicts_a_volume_from_slices(volume):
    ct, region = volume
    FlatScaled.seen = ()
    pet = pet_of(make(FlatScaled), ct, region)
    np.testing.assert_allclose(pet, np.where(region, (ct + 1) / 2, 0), atol=1e-6)
    assert {shape[1:] for shape in FlatScaled.seen} == {(1, 16, 16)}
    assert max(shape[0] for shape in FlatScaled.seen) == 4  # as many at once as the plan has


@torch.inference_mode()
def test_a_later_stage_continues_with_what_the_one_before_made(volume):
    ct, region = volume
    for until, more in (("slices", 0.0), ("stacks", 0.25), ("last", 0.5), (None, 0.5)):
        pet = pet_of(make(ThreeStages), ct, region, until=until)
        np.testing.assert_allclose(pet, np.where(region, (ct + 1) / 2 + more, 0), atol=1e-6)


@torch.inference_mode()
def test_a_later_stage_gets_air_where_the_earlier_stage_predicted_nothing(volume):
    ct, region = volume
    seen = []
    model = make(ThreeStages)
    stage = model.stages["stacks"]
    stage.translate = lambda image: seen.append(image.clone()) or image
    pet_of(model, ct, region)
    assert min(image.min() for image in seen) == -1


@torch.inference_mode()
def test_progress_adds_up_to_one_over_stages_and_models(volume):
    ct, region = volume
    for methods in ([make(ThreeStages)], [make(Scaled)] * 3, [make(ThreeStages), make(ThreeStages)]):
        shares = []
        predict_volume(methods, {"CT": ct}, region, progress=shares.append)
        assert sum(shares) == pytest.approx(1)


@torch.inference_mode()
def test_slices_are_not_mirrored_from_head_to_feet(volume):
    ct, region = volume
    kind = type("Sideways", (FlatScaled,), {"translate": lambda self, inputs: inputs.roll(1, dims=-1)})
    model = kind(hand_configuration(mirror_axes=[0, 2], patch_size=[8, 8, 8]), FIELDS)
    assert model.planned.mirror_axes == [2]
    mirrored = pet_of(model, ct, region, WindowOptions(mirror=True))
    left, right = np.roll(ct, 1, 2), np.roll(ct, -1, 2)
    inner = (slice(2, 10), slice(9, 17), slice(4, 13))
    np.testing.assert_allclose(mirrored[inner], ((left + right) / 2)[inner], atol=1e-6)


@torch.inference_mode()
def test_two_inputs_become_an_image_and_labels(volume):
    ct, region = volume
    low_dose = np.random.default_rng(1).uniform(-1, 1, ct.shape).astype(np.float32)
    configuration = two_target_configuration()
    windows = configuration.normalization
    model = ScaledAndThresholded(configuration, TWO_OF_BOTH).eval()
    found = predict_volume([model], {"CT": ct, "low_dose": low_dose}, region)
    suv, hu = denormalize(low_dose, windows["low_dose"]), denormalize(ct, windows["CT"])
    expected = np.where(region, normalize(expected_pet(suv), windows["PET"]), 0)
    np.testing.assert_allclose(found["PET"], expected, atol=1e-6)
    np.testing.assert_array_equal(found["organs"], np.where(region, expected_organs(hu), 0))
    assert found["organs"].dtype == np.uint8


class Constant(ScaledAndThresholded):
    """Gives the rows of ``probabilities`` of organs, in turn window by window."""

    def predict(self, inputs):
        rows = torch.stack([torch.tensor(next(self.probabilities)) for _ in inputs["CT"]])
        logits = rows.log().reshape(-1, 3, 1, 1, 1).expand(-1, -1, *inputs["CT"].shape[2:])
        return {"PET": inputs["low_dose"], "organs": logits + 7.0}  # logits need not be normalised


def constant(*probabilities):
    model = Constant(two_target_configuration(), TWO_OF_BOTH)
    model.probabilities = iter(probabilities)
    return model


FIRST, SECOND = (0.5, 0.45, 0.05), (0.05, 0.45, 0.5)  # each has another label than their mean
SURE, UNSURE = (0.9, 0.05, 0.05), (0.001, 0.45, 0.549)  # the mean of the logits has another label than this mean


@torch.inference_mode()
@pytest.mark.parametrize(("one", "two", "mean"), [(FIRST, SECOND, 1), (SECOND, FIRST, 1), (SURE, UNSURE, 0)])
def test_overlapping_windows_give_the_label_of_the_mean_probability(one, two, mean):
    """Windows of 8 slices from slice 0 and from slice 4 on."""
    region = np.ones((12, 8, 8), bool)
    nothing = {name: np.zeros(region.shape, np.float32) for name in ("CT", "low_dose")}
    organs = predict_volume([constant(one, two)], nothing, region)["organs"]
    expected = np.repeat([np.argmax(one), mean, np.argmax(two)], 4)
    np.testing.assert_array_equal(organs, np.broadcast_to(expected[:, None, None], region.shape))


@torch.inference_mode()
@pytest.mark.parametrize(("one", "two", "mean"), [(FIRST, SECOND, 1), (SECOND, FIRST, 1), (SURE, UNSURE, 0)])
def test_an_ensemble_of_labels_takes_the_highest_mean_probability(one, two, mean):
    region = np.ones((8, 8, 8), bool)
    nothing = {name: np.zeros(region.shape, np.float32) for name in ("CT", "low_dose")}
    organs = predict_volume([constant(one), constant(two)], nothing, region)["organs"]
    assert (organs == mean).all()


class Convolved(ScaledAndThresholded):
    def build(self, configuration, fields):
        super().build(configuration, fields)
        self.layer = torch.nn.Conv3d(2, 3, 3, padding=1)

    def predict(self, inputs):
        logits = 3 * self.layer(torch.cat([inputs["CT"], inputs["low_dose"]], dim=1))
        return {"PET": inputs["low_dose"], "organs": logits}


@torch.inference_mode()
def test_labels_are_those_of_probabilities_averaged_over_windows_flips_and_models(volume):
    """Against sums over the whole volume in float64."""
    ct, region = volume
    inputs = {"CT": ct, "low_dose": ct[::-1].copy()}
    configuration = two_target_configuration(mirror_axes=[0, 2])
    torch.manual_seed(0)
    models = [Convolved(configuration, TWO_OF_BOTH).eval() for _ in range(3)]
    total = np.zeros((3, *(n + 16 for n in region.shape)))  # 8 voxels around: windows may reach beyond the volume
    padded = [np.pad(inputs[name], 8, constant_values=-1) for name in ("CT", "low_dose")]
    flips = [(), (2,), (4,), (2, 4)]
    for model, position in itertools.product(models, SlidingWindow([8, 8, 8], 0.5).positions(region)):
        box = tuple(slice(a + 8, a + 16) for a in position)
        window = torch.from_numpy(np.stack([image[box] for image in padded]))[None]
        for flip in flips:
            logits = 3 * model.layer(window.flip(flip)).flip(flip)
            total[(slice(None), *box)] += logits[0].double().softmax(0).numpy()
    total = total[(slice(None), *[slice(8, -8)] * 3)]
    organs = predict_volume(models, inputs, region, WindowOptions(mirror=True))["organs"]
    first, second = np.sort(total, axis=0)[:-3:-1]
    clear = region & (first - second > 1e-4 * first)
    assert clear.sum() > 0.99 * region.sum()
    assert len(np.unique(organs[clear])) == 3
    np.testing.assert_array_equal(organs[clear], total.argmax(0)[clear])
    assert (organs[~region] == 0).all()


class Refined(ScaledAndThresholded):
    """Adds 0.25 to the PET of the stage before; everything is spleen."""

    requirements = Requirements(FieldNeeds(label_targets=(1, 1)))

    def predict(self, inputs):
        assert [*inputs] == ["PET_draft"]
        image = inputs["PET_draft"]
        logits = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1).expand(len(image), -1, *image.shape[2:])
        return {"PET": (image + 1) / 2 + 0.25, "organs": logits}


class ImageAndLabelsThenRefined(StagedMethod):
    requirements = Requirements(stages={"both": ScaledAndThresholded.requirements, "image": Refined.requirements})

    def build_stages(self, configuration, fields):
        drafts = draft_configuration(configuration, fields), draft_fields(fields)
        return {"both": ScaledAndThresholded(configuration, fields), "image": Refined(*drafts)}


@torch.inference_mode()
def test_a_stage_continues_with_the_image_of_a_stage_that_gives_labels_too(volume):
    ct, region = volume
    method = ImageAndLabelsThenRefined(two_target_configuration(), TWO_OF_BOTH).eval()
    found = predict_volume([method], {"CT": ct, "low_dose": ct}, region)
    np.testing.assert_allclose(found["PET"], np.where(region, (ct + 1) / 2 + 0.25, 0), atol=1e-6)
    assert (found["organs"][region] == 2).all()
