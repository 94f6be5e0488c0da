"""Train a classifier of slices from scratch, and predict the class of patients."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ct2pet.console import progress
from ct2pet.errors import Ct2PetError, PluginError, TrainingError
from ct2pet.study.classifiers import load_classifier
from ct2pet.study.slices import Slices, to_network
from ct2pet.study.training_set import TrainingSet, batches
from ct2pet.training.determinism import determinism

_PREDICTED_AT_ONCE = 256


@dataclass(frozen=True)
class ClassifierOptions:
    """``steps`` of AdamW with ``batch_size`` slices and a cosine schedule, the same in every arm of a study. Every
    ``check_every`` steps the validation loss is computed; the weights of the lowest loss are kept."""

    steps: int = 400
    batch_size: int = 32
    check_every: int = 20
    device: str = "cpu"


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained network and the device it is on. ``step``: of the kept weights."""

    network: nn.Module
    device: str
    step: int

    def probabilities(self, slices: Slices) -> np.ndarray:
        """float64 (N, classes): of each slice."""
        images = torch.from_numpy(to_network(slices.images, slices.channels))
        self.network.eval()
        with torch.no_grad():
            parts = [
                functional.softmax(self.network(part.to(self.device)).double(), dim=1).cpu()
                for part in images.split(_PREDICTED_AT_ONCE)
            ]
        return torch.cat(parts).numpy()

    def by_patient(self, slices: Slices) -> np.ndarray:
        """float64 (patients, classes): the mean over each patient's slices, patients in alphabetical order."""
        return patient_means(self.probabilities(slices), slices.patients)


def patient_means(values: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """The mean of the rows of each patient, patients in alphabetical order."""
    _, number = np.unique(patients, return_inverse=True)
    sums = np.zeros((number.max() + 1, values.shape[1]))
    np.add.at(sums, number, values)
    return sums / np.bincount(number)[:, None]


def check_classifier(name: str, slices: Slices) -> None:
    """Build the classifier ``name``, and apply it to two empty images of the form of ``slices``.

    Raises PluginError where it is unknown or does not return logits of their classes, and TrainingError where it needs
    larger slices.
    """
    classifier, images = load_classifier(name), torch.zeros(2, *slices.images.shape[1:])
    _check_size(name, classifier.least_pixels, slices)
    expected = (len(images), len(slices.classes))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            shape = tuple(classifier.build(len(slices.channels), len(slices.classes)).eval()(images).shape)
        except Ct2PetError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise PluginError(f"the classifier {name} fails on images of {tuple(images.shape)}: {reason}") from error
    if shape != expected:
        raise PluginError(f"the classifier {name} returns {shape} for {len(images)} images, not logits of {expected}")


def _check_size(name: str, least_pixels: int, slices: Slices) -> None:
    if min(slices.images.shape[2:]) < least_pixels:
        raise TrainingError(
            f"{name} needs slices of at least {least_pixels} pixels, not {slices.images.shape[3]}; see --pixels"
        )


def train_classifier(
    name: str, training: TrainingSet, validation: Slices, options: ClassifierOptions, seed: int
) -> TrainedClassifier:
    """Train the classifier ``name`` on a set and show the progress; ``validation`` holds real slices of other patients.

    The same arguments give the same weights on the same machine. Raises PluginError for an unknown classifier, and
    TrainingError where it cannot work with these images or its loss is no longer finite.
    """
    classifier = load_classifier(name)
    _check_size(name, classifier.least_pixels, training.slices)
    _check_patients(training.slices, validation)
    shown = progress(f"Training {name}", options.steps, "step")
    with determinism(True), torch.random.fork_rng(devices=[]), shown as bar:
        torch.manual_seed(seed)
        network = classifier.build(len(training.slices.channels), len(training.slices.classes)).to(options.device)
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=classifier.learning_rate, weight_decay=classifier.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
        best: tuple[float, int, dict] = (np.inf, 0, {})
        source = batches(training, options.batch_size, seed)
        for step in range(1, options.steps + 1):
            _step(network, optimizer, next(source), options.device)
            schedule.step()
            bar.advance()
            if step % options.check_every == 0 or step == options.steps:
                loss = _validation_loss(TrainedClassifier(network, options.device, step), validation)
                if loss < best[0]:
                    best = loss, step, copy.deepcopy(network.state_dict())
    if not best[1]:
        raise TrainingError(f"{name}: the validation loss is not a finite number; check the images for NaN")
    network.load_state_dict(best[2])
    return TrainedClassifier(network.eval(), options.device, best[1])


def _check_patients(training: Slices, validation: Slices) -> None:
    shared = set(training.patients) & set(validation.patients)
    if shared:
        raise TrainingError(f"{len(shared)} patient(s) are both in training and in validation, {min(shared)} is one")
    for what, slices in (("training", training), ("validation", validation)):
        if len(np.unique(slices.labels)) < len(slices.classes):
            raise TrainingError(f"the {what} patients do not have all classes ({', '.join(slices.classes)})")


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple, device: str) -> None:
    images, shares = (tensor.to(device) for tensor in batch)
    network.train()
    optimizer.zero_grad(set_to_none=True)
    functional.cross_entropy(network(images), shares).backward()
    optimizer.step()


def _validation_loss(trained: TrainedClassifier, validation: Slices) -> float:
    """The mean cross-entropy of the patients' probabilities."""
    probabilities = trained.by_patient(validation)
    labels = np.array(list(validation.patient_labels().values()))
    return float(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, None)).mean())
