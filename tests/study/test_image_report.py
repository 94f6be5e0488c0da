"""All numbers of a set of images together, beside those of real ones."""

from dataclasses import replace

import numpy as np
import pytest
from disc_slices import disc_slices

from ct2pet.study.classification import ClassifierOptions, train_classifier
from ct2pet.study.features import random_features
from ct2pet.study.image_report import image_report, text
from ct2pet.study.training_set import TrainingSet


@pytest.fixture(scope="module")
def classifier(validation):
    independent = disc_slices(40, seed=41, first=1000, gap=3.0)
    options = ClassifierOptions(steps=30, batch_size=16, check_every=10)
    return train_classifier("small_cnn", TrainingSet(independent), validation, options, seed=0)


@pytest.fixture(scope="module")
def real():
    return disc_slices(40, seed=42, gap=3.0)


def measured(synthetic, real, classifier=None):
    test = disc_slices(40, seed=43, first=500, gap=3.0)
    return image_report(synthetic, real, test, [random_features(1)], classifier)


def test_metrics_of_images_from_the_real_distribution_equal_those_of_real_images(real, classifier):
    report = measured(disc_slices(40, seed=44, first=700, gap=3.0), real, classifier)
    pairs, features = report["similarity"]["pet"], report["features"]["random network"]
    assert pairs["synthetic"]["ssim"] == pytest.approx(pairs["real"]["ssim"], abs=0.05)
    assert features["synthetic"]["coverage"] == pytest.approx(features["real"]["coverage"], abs=0.2)
    assert report["privacy"]["share_below"] < 0.1
    assert report["label_confirmed"]["synthetic"] > 0.75
    assert report["label_confirmed"]["real"] > 0.75


def test_each_fault_shows_in_its_number(real, classifier):
    good = disc_slices(40, seed=44, first=700, gap=3.0)
    copies = replace(real, patients=np.full(len(real), "synthetic"))
    swapped = replace(good, labels=1 - good.labels)
    one = replace(good, images=np.repeat(good.images[:1], len(good), axis=0))
    assert measured(copies, real)["privacy"]["share_below"] == 1.0
    assert measured(swapped, real, classifier)["label_confirmed"]["synthetic"] < 0.25
    assert measured(swapped, real)["uptake"][0]["p"] < 1e-6
    features = measured(one, real)["features"]["random network"]
    assert features["synthetic"]["coverage"] < 0.3 < features["real"]["coverage"]
    assert features["synthetic"]["frechet"] > 3 * features["real"]["frechet"]


def test_the_text_has_units_and_the_real_numbers(real, classifier):
    report = measured(disc_slices(40, seed=44, first=700, gap=3.0), real, classifier)
    lines = text(report)
    assert f"SSIM {report['similarity']['pet']['synthetic']['ssim']:.3f}" in lines
    assert f"(real {report['similarity']['pet']['real']['ssim']:.3f})" in lines
    assert "dB" in lines
    assert "SUV²" in lines
    assert "class confirmed by a classifier" in lines
