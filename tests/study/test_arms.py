"""What each arm trains on."""

from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices

from ct2pet.errors import Ct2PetError
from ct2pet.study.arms import ARMS, REAL, WITH_RATIO, Ingredients, check_arms, training_set
from ct2pet.study.classification import ClassifierOptions

OPTIONS = ClassifierOptions(steps=20, batch_size=16, check_every=10)


class Fresh:
    """A generator as good as the scanner: new slices of the class."""

    def sample(self, label, number, seed):
        slices = disc_slices(2 * number, seed=1000 + seed, per_patient=1, first=0, gap=3.0)
        return slices.images[slices.labels == label]


@pytest.fixture(scope="module")
def ingredients():
    real = disc_slices(24, seed=31, gap=3.0)
    extra = disc_slices(10, seed=32, first=400, gap=3.0)
    return Ingredients(real, 30, 7, "small_cnn", OPTIONS, extra=extra, sampler=Fresh())


def added(arm, ingredients):
    """The slices that an arm adds; the real ones come first and unchanged."""
    slices = training_set(arm, ingredients).slices
    number = len(ingredients.training)
    np.testing.assert_array_equal(slices.images[:number], ingredients.training.images)
    np.testing.assert_array_equal(slices.labels[:number], ingredients.training.labels)
    return slices.take(np.arange(number, len(slices)))


@pytest.mark.parametrize("arm", WITH_RATIO)
def test_arms_with_a_ratio_add_as_many_images_as_are_wanted(arm, ingredients):
    own = added(arm, ingredients)
    assert len(own) == 30
    assert set(own.patients) == {"added images"}
    assert np.bincount(own.labels).tolist() in ([15, 15], [16, 14], [14, 16])


@pytest.mark.parametrize("arm", sorted({*ARMS} - {*WITH_RATIO, "oracle"}))
def test_the_other_arms_add_none(arm, ingredients):
    assert len(added(arm, ingredients)) == 0


def test_arms_without_images_differ_in_how_batches_are_made(ingredients):
    settings = {
        (own.augmented, own.balanced, own.mixup > 0)
        for own in (training_set(arm, ingredients) for arm in (REAL, "classical", "oversampling", "mixup"))
    }
    assert len(settings) == 4
    assert training_set(REAL, ingredients).augmented is False


def test_duplicates_are_training_slices_with_their_own_labels(ingredients):
    own, real = added("duplicates", ingredients), ingredients.training
    originals = {image.tobytes(): label for image, label in zip(real.images, real.labels)}
    assert all(originals[image.tobytes()] == label for image, label in zip(own.images, own.labels))
    assert len({image.tobytes() for image in own.images}) == 30  # none twice while another is unused


def test_random_labels_are_training_slices_whose_labels_say_nothing(ingredients):
    many = replace(ingredients, number=960)
    own, real = added("random_labels", many), many.training
    originals = {image.tobytes(): label for image, label in zip(real.images, real.labels)}
    right = np.mean([originals[image.tobytes()] == label for image, label in zip(own.images, own.labels)])
    assert right == pytest.approx(0.5, abs=0.05)


def test_the_oracle_adds_all_other_real_slices(ingredients):
    own = added("oracle", ingredients)
    np.testing.assert_array_equal(own.images, ingredients.extra.images)
    np.testing.assert_array_equal(own.labels, ingredients.extra.labels)


def test_curation_counts_what_it_did(ingredients):
    counts = training_set("gan_curated", ingredients).counts
    assert counts["asked"] == 30
    assert {"drawn", "kept", "low_confidence", "far_from_real", "near_copy"} <= set(counts)


def test_no_arm_touches_the_extra_patients_but_the_oracle(ingredients):
    foreign = {image.tobytes() for image in ingredients.extra.images}
    for arm in {*ARMS} - {"oracle", "gan_curated"}:
        assert not foreign & {image.tobytes() for image in training_set(arm, ingredients).slices.images}


def test_an_arm_without_its_requirements_is_refused():
    with pytest.raises(Ct2PetError, match="unknown arm 'magic'; arms are real, classical"):
        check_arms(["magic"], generator=True, more_real=True)
    with pytest.raises(Ct2PetError, match="gan_curated needs a trained generator"):
        check_arms(["gan_curated"], generator=False, more_real=True)
    with pytest.raises(Ct2PetError, match="oracle needs more real patients"):
        check_arms(["oracle"], generator=True, more_real=False)
