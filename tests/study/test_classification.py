"""Training of classifiers: it learns, it is the same every time, and patients stay apart."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from disc_slices import disc_slices

from ct2pet.errors import PluginError, TrainingError
from ct2pet.study import classification
from ct2pet.study.classification import ClassifierOptions, check_classifier, patient_means, train_classifier
from ct2pet.study.classifiers.base import Classifier
from ct2pet.study.statistics import auc
from ct2pet.study.training_set import TrainingSet

QUICK = ClassifierOptions(steps=30, batch_size=16, check_every=10)


@pytest.fixture(scope="module")
def trained(training, validation):
    return train_classifier("small_cnn", TrainingSet(training), validation, QUICK, seed=4)


@pytest.mark.numerics
def test_the_classifier_separates_the_classes(trained, tested):
    labels = np.array(list(tested.patient_labels().values()))
    assert auc(labels, trained.by_patient(tested)[:, 1]) > 0.85


@pytest.mark.numerics
def test_exchanged_labels_teach_the_opposite(trained, training, validation, tested):
    exchanged, checked = (replace(slices, labels=1 - slices.labels) for slices in (training, validation))
    network = train_classifier("small_cnn", TrainingSet(exchanged), checked, QUICK, seed=4)
    labels = np.array(list(tested.patient_labels().values()))
    wrong, right = (auc(labels, own.by_patient(tested)[:, 1]) for own in (network, trained))
    assert wrong < 0.3 < 0.7 < right


def test_the_same_arguments_give_the_same_weights_and_leave_the_global_random_numbers_alone(
    trained, training, validation
):
    torch.manual_seed(99)
    before = torch.get_rng_state()
    again = train_classifier("small_cnn", TrainingSet(training), validation, QUICK, seed=4)
    assert torch.equal(before, torch.get_rng_state())
    for one, two in zip(trained.network.parameters(), again.network.parameters()):
        assert torch.equal(one, two)


def test_the_weights_of_the_lowest_validation_loss_are_kept(training, validation, monkeypatch):
    weights, losses = {}, {10: 3.0, 20: 1.0, 30: 2.0}

    def loss(trained, slices):
        weights[trained.step] = copy.deepcopy(trained.network.state_dict())
        return losses[trained.step]

    monkeypatch.setattr(classification, "_validation_loss", loss)
    kept = train_classifier("small_cnn", TrainingSet(training), validation, QUICK, seed=4)
    assert kept.step == 20
    found = kept.network.state_dict()
    assert all(torch.equal(found[name], weights[20][name]) for name in found)
    assert not all(torch.equal(found[name], weights[30][name]) for name in found)


def test_a_patient_has_the_mean_of_its_slices(trained, tested):
    by_slice = trained.probabilities(tested)
    by_patient = trained.by_patient(tested)
    for number, patient in enumerate(tested.patient_labels()):
        np.testing.assert_allclose(by_patient[number], by_slice[tested.patients == patient].mean(axis=0))
    np.testing.assert_allclose(by_patient.sum(axis=1), 1)


def test_means_of_patients_whose_slices_are_scattered():
    values = np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(patient_means(values, np.array(["b", "a", "b"])), [[2.0], [2.0]])


def test_a_patient_on_both_sides_is_refused(training):
    with pytest.raises(TrainingError, match="both in training and in validation, patient_000 is one"):
        train_classifier("small_cnn", TrainingSet(training), training, QUICK, seed=0)


def test_a_class_that_is_missing_is_refused(training, validation):
    benign = validation.take(validation.labels == 0)
    with pytest.raises(TrainingError, match="validation patients do not have all classes"):
        train_classifier("small_cnn", TrainingSet(training), benign, QUICK, seed=0)


def test_slices_that_are_too_small_or_not_finite_are_refused(training, validation):
    small = disc_slices(8, pixels=8)
    with pytest.raises(TrainingError, match="at least 16 pixels, not 8"):
        train_classifier("small_cnn", TrainingSet(small), validation, QUICK, seed=0)
    broken = replace(training, images=np.full_like(training.images, np.nan))
    with pytest.raises(TrainingError, match="not a finite number"):
        train_classifier("small_cnn", TrainingSet(broken), validation, QUICK, seed=0)


def test_an_unknown_classifier_lists_those_that_there_are(training, validation):
    with pytest.raises(PluginError, match="resnet18, small_cnn, vgg16"):
        train_classifier("resnet", TrainingSet(training), validation, QUICK, seed=0)


def test_a_classifier_of_ones_own_that_fails_is_named_with_its_reason(training, monkeypatch):
    def refuse(channels, classes):
        raise ValueError(f"made for 3 channels,\nnot {channels}")

    monkeypatch.setattr(classification, "load_classifier", lambda name: Classifier(refuse))
    with pytest.raises(
        PluginError, match=r"mine fails on images of \(2, 1, 32, 32\): ValueError: made for 3 channels,$"
    ):
        check_classifier("mine", training)


def test_checking_a_classifier_does_not_change_the_random_numbers(training):
    before = torch.get_rng_state()
    check_classifier("small_cnn", training)
    assert torch.equal(before, torch.get_rng_state())
