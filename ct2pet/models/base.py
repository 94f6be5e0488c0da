"""The contract between the trainer, the predictor and a method. A method is one file in this folder.

The file ``models/NAME.py`` defines a subclass of Model and assigns it to ``MODEL``; another package may offer one
through the entry-point group ``ct2pet.models``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import dacite
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ct2pet.errors import PlansError
from ct2pet.networks import guard_small_maps
from ct2pet.planning.plans import Configuration, explained
from ct2pet.planning.requirements import Requirements

Batch = Mapping[str, torch.Tensor]
Losses = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Hyperparameters:
    """The numbers of every method; a method's own dataclass inherits from this one.

    The learning rate is constant and falls linearly to zero over the last ``decay_epochs``. With an ``ema_decay``
    (0.999, say) the moving average of the weights validates and predicts. An update sums the gradients of
    ``accumulate_batches`` batches.
    """

    num_epochs: int = 200
    iterations_per_epoch: int = 250
    decay_epochs: int = 100
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    clip_norm: float = 5.0
    ema_decay: float = 0.0
    accumulate_batches: int = 1

    def __post_init__(self) -> None:
        if self.accumulate_batches < 1:
            raise PlansError(f"accumulate_batches {self.accumulate_batches} is not at least 1")
        if not 0 <= self.ema_decay < 1:
            raise PlansError(f"ema_decay {self.ema_decay} is not at least 0 and below 1")


@dataclass(frozen=True)
class Update:
    """One update of one optimizer: the trainer minimises ``loss`` with the optimizer of this name.

    ``losses`` are the parts, by name, for the log.
    """

    optimizer: str
    loss: torch.Tensor
    losses: Losses


class Model(nn.Module, ABC):
    """A method: its networks, its optimizers, its step and its translation of a CT.

    Subclasses set ``requirements`` and ``Hyperparameters``, and register their networks as sub-modules, so that
    ``state_dict`` holds all of them. Tensors are (N, C, Z, Y, X), of methods in 2D (N, C, Y, X): ``ct`` in [-1, 1],
    ``pet`` normalised so that the plan's SUV window is [0, 1], ``mask`` bool, true inside the district.
    ``configuration`` is the plan's, ``planned`` the same as this method sees it (patches or slices).
    """

    requirements: ClassVar[Requirements]
    inference_networks: ClassVar[tuple[str, ...]] = ()  # the networks that translate uses, by attribute; empty: all
    Hyperparameters: ClassVar[type[Hyperparameters]] = Hyperparameters

    def __init__(self, configuration: Configuration, hyperparameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.configuration = configuration
        self.hyperparameters = parse_hyperparameters(self.Hyperparameters, hyperparameters or {})
        self.planned = configuration.as_seen_in(self.requirements.dimensions)
        self.build(self.planned)
        guard_small_maps(self)

    @abstractmethod
    def build(self, configuration: Configuration) -> None:
        """Make the networks of ``planned`` and assign them to attributes."""

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One optimizer for each name that training_step yields."""

    @abstractmethod
    def training_step(self, batch: Batch) -> Iterator[Update]:
        """Yield one Update after another. The trainer makes each before it asks for the next one.

        A loss is a mean over the batch's samples, and its ``losses`` are scalars.
        """

    @abstractmethod
    def translate(self, ct: torch.Tensor) -> torch.Tensor:
        """Normalised CT (N, 1, *space) to normalised PET of the same shape, in evaluation mode without gradients."""

    @property
    def stages(self) -> dict[str, Model]:
        """What is trained one after another, by name: of most methods they themselves alone."""
        return {"main": self}

    def flat(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (N, C, Z, Y, X) as this method sees them: in 2D without the axis Z, along which they have 1 voxel."""
        return patches.squeeze(2) if self.requirements.dimensions == 2 else patches

    def translate_patches(self, ct: torch.Tensor) -> torch.Tensor:
        """``translate`` for patches (N, 1, Z, Y, X) of any method."""
        return self.translate(self.flat(ct)).view_as(ct)

    def translates(self, weight: str) -> bool:
        """Whether ``translate`` uses the entry of ``state_dict`` with this name."""
        return not self.inference_networks or weight.split(".")[0] in self.inference_networks

    def training_state(self) -> dict[str, Any]:
        """What a resumed training needs besides weights and optimizers; kept in the latest checkpoint alone."""
        return {}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Take back what training_state gave."""

    def checkpointed_forward(self, network: nn.Module, image: torch.Tensor) -> torch.Tensor:
        """``network(image)`` for an update that is not the next one.

        While batches are accumulated, each of them waits here for the updates before; so its activations are computed
        again when that update comes, and the memory holds those of one batch.
        """
        if self.hyperparameters.accumulate_batches == 1:
            return network(image)
        return checkpoint(network, image, use_reentrant=False)

    def adam(self, parameters: Iterable[nn.Parameter], learning_rate: float | None = None) -> torch.optim.Adam:
        """The Adam optimizer of the hyper-parameters, in one kernel where torch has it for the device."""
        numbers, parameters = self.hyperparameters, list(parameters)
        rate = numbers.learning_rate if learning_rate is None else learning_rate
        fused = bool(parameters) and {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}
        return torch.optim.Adam(parameters, lr=rate, betas=(numbers.beta1, numbers.beta2), fused=fused)


@dataclass(frozen=True)
class StagedHyperparameters(Hyperparameters):
    """Numbers of a method in two stages; each stage is trained for ``num_epochs``. What the second one learns from is
    made by ``inner_folds`` trainings of the first, each with the cases of the others (below 2: by one training, with
    the very cases that it has seen)."""

    inner_folds: int = 3


class StagedModel(Model):
    """A method whose stages are Models of their own, the first a translation of CTs.

    A later stage finds in ``ct`` what the one before made of the CT, in a CT's range (normalization.pet_as_input).
    """

    Hyperparameters: ClassVar[type[StagedHyperparameters]] = StagedHyperparameters
    hyperparameters: StagedHyperparameters

    @abstractmethod
    def build_stages(self, configuration: Configuration) -> dict[str, Model]:
        """The stages by name, in order."""

    def build(self, configuration: Configuration) -> None:
        self.parts = nn.ModuleDict(self.build_stages(configuration))

    @property
    def stages(self) -> dict[str, Model]:
        return dict(self.parts.items())  # type: ignore[arg-type]

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        raise TypeError("the stages are trained, each by itself")

    def training_step(self, batch: Batch) -> Iterator[Update]:
        raise TypeError("the stages are trained, each by itself")

    def translate(self, ct: torch.Tensor) -> torch.Tensor:
        raise TypeError("the stages translate, each the whole volume; see inference.stages")


def parse_hyperparameters(kind: type[Hyperparameters], values: Mapping[str, Any]) -> Hyperparameters:
    """The dataclass ``kind`` with ``values`` in place of its defaults. Unknown names raise PlansError."""
    hooks = {float: lambda value: float(value) if isinstance(value, int) else value}
    try:
        return dacite.from_dict(kind, dict(values), dacite.Config(strict=True, type_hooks=hooks))
    except dacite.DaciteError as error:
        raise PlansError(f"the method's numbers in the plans (under models): {explained(error)}") from None


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Inside the block the networks' parameters get no gradients (those of their inputs flow through)."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
