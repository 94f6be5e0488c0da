"""Features for distances between sets of images."""

import numpy as np
import pytest
import torch
from disc_slices import disc_slices
from torch import nn

from ct2pet.errors import CheckpointError, Ct2PetError, PluginError
from ct2pet.study.classification import ClassifierOptions, TrainedClassifier, train_classifier
from ct2pet.study.features import (
    Extractor,
    classifier_features,
    feature_scales,
    inception_features,
    random_features,
)
from ct2pet.study.image_metrics import frechet_distance
from ct2pet.study.slices import to_network
from ct2pet.study.training_set import TrainingSet


def test_random_features_are_the_same_in_every_process_and_leave_the_random_numbers_alone(training):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = random_features(1)(training), random_features(1)(training)
    assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(first, second)
    assert first.shape == (len(training), 2 * (16 + 32 + 64))
    assert not np.allclose(first, random_features(1, seed=4)(training))


def test_the_features_of_slices_are_computed_once():
    seen = []
    extractor = Extractor("counting", lambda images: (seen.append(len(images)), images.flatten(1))[1])
    first, second = disc_slices(2), disc_slices(2, seed=1)
    assert extractor(first) is extractor(first)
    assert not np.array_equal(extractor(second), extractor(first))
    assert seen == [4, 4]


def test_random_features_see_uptake_and_size(training):
    """A linear discriminant of them separates the classes of discs."""
    features = random_features(1)(training)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    difference = features[training.labels == 1].mean(axis=0) - features[training.labels == 0].mean(axis=0)
    scores = features @ difference
    assert np.median(scores[training.labels == 1]) > np.quantile(scores[training.labels == 0], 0.9)


def test_classifier_features_are_the_inputs_of_its_last_layer(training, validation):
    options = ClassifierOptions(steps=10, batch_size=16, check_every=10)
    trained = train_classifier("small_cnn", TrainingSet(training), validation, options, seed=0)
    features = torch.from_numpy(classifier_features(trained)(validation)).float()
    last = trained.network[-1]
    logits = trained.network(torch.from_numpy(to_network(validation.images, validation.channels)))
    torch.testing.assert_close(last(features), logits, atol=1e-4, rtol=1e-4)


def test_a_classifier_without_a_linear_layer_is_refused():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(Ct2PetError, match="no linear layer"):
        classifier_features(TrainedClassifier(network, "cpu", 1))


def test_invalid_weights_of_features_are_named(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(2)}, file)
    with pytest.raises(CheckpointError, match=r"nowhere\.pth: no such file"):
        inception_features(tmp_path / "nowhere.pth")
    with pytest.raises((CheckpointError, PluginError), match=r"weights\.pth|torchvision"):
        inception_features(file)


def test_a_feature_that_is_nearly_always_0_does_not_dominate_distances():
    random = np.random.default_rng(0)
    first, second = random.normal(0, [1.0, 30.0, 5.0, 2.0], (2, 200, 4))
    first, second = (np.c_[values, np.zeros((200, 2))] for values in (first, second))
    first[0, 4], second[:3, 4] = 1e-4, 1e-2
    scales = feature_scales(first)
    np.testing.assert_allclose(scales[:4], first[:, :4].std(axis=0))
    np.testing.assert_allclose(scales[4:], 0.1 * np.median(first[:, :5].std(axis=0)))
    without = frechet_distance(first[:, :4] / scales[:4], second[:, :4] / scales[:4])
    assert frechet_distance(first / scales, second / scales) == pytest.approx(without, rel=0.01)
    np.testing.assert_array_equal(feature_scales(np.ones((5, 3))), np.ones(3))


def test_features_do_not_depend_on_the_batch():
    slices = disc_slices(80, per_patient=2)
    alone = random_features(1)(slices.take(np.array([140])))
    np.testing.assert_allclose(random_features(1)(slices)[140], alone[0], rtol=1e-4, atol=1e-5)
