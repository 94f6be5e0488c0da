"""A method: its networks, its optimizers, its step, and what it predicts or samples."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Union

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ct2pet.dataset import Fields
from ct2pet.errors import PlansError
from ct2pet.models.base.hyperparameters import Hyperparameters, parse_hyperparameters
from ct2pet.models.base.update import Progress, Update
from ct2pet.networks import add_input_windows, build_network, guard_small_maps
from ct2pet.planning.configuration import Configuration
from ct2pet.planning.requirements import Requirements, normalized_inputs
from ct2pet.preprocessing.normalization import normalized_windows

if TYPE_CHECKING:
    from ct2pet.models.base.staged import StagedMethod

Batch = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class WeightedMean:
    """A mean as its sum and weight, so that batches and processes of different sizes count as they should. The value
    is ``scale`` x ``total`` / ``weight``."""

    total: float
    weight: float
    scale: float = 1.0


class Model(nn.Module, ABC):
    """What the trainer trains.

    Subclasses set ``requirements`` and ``Hyperparameters``, and register their networks as sub-modules, so that
    ``state_dict`` holds all of them. A batch holds tensors by field: images (N, 1, *space), normalised as planned,
    label maps (N, 1, *space) of integers, conditions (N) of class numbers, ``mask`` (bool, true inside the district)
    and, where the requirements need it, ``lesions`` (bool); *space is Z, Y, X, of methods in 2D Y, X.
    ``configuration`` is the plan's, ``planned`` the same as this method uses it (patches or slices).
    """

    requirements: ClassVar[Requirements]
    inference_networks: ClassVar[tuple[str, ...]] = ()  # those that predict or sample, by attribute; empty: all
    Hyperparameters: ClassVar[type[Hyperparameters]] = Hyperparameters

    def __init__(
        self, configuration: Configuration, fields: Fields, hyperparameters: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.configuration, self.fields = configuration, fields
        self.hyperparameters = parse_hyperparameters(self.Hyperparameters, hyperparameters or {})
        problem = self.requirements.fields.problem(fields)
        if problem is not None:
            raise PlansError(f"{type(self).__name__} {problem}")
        self.planned = configuration.as_seen_in(self.requirements.dimensions)
        self.build(self.planned, fields)
        guard_small_maps(self)

    @abstractmethod
    def build(self, configuration: Configuration, fields: Fields) -> None:
        """Make the networks of ``planned`` (see ``network``) and assign them to attributes."""

    @abstractmethod
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One optimizer for each name that training_step yields."""

    @abstractmethod
    def training_step(self, batch: Batch, progress: Progress) -> Iterator[Update]:
        """Yield one Update after another. The trainer executes each before it takes the next one.

        A loss is a mean over the batch's samples, and its ``losses`` are scalars.
        """

    @property
    @abstractmethod
    def monitor(self) -> str:
        """The name of the metric of ``validation_step`` that chooses the best checkpoint."""

    maximize: ClassVar[bool] = False  # whether a larger value of the monitor is better

    @abstractmethod
    def validation_step(self, batch: Batch) -> dict[str, WeightedMean]:
        """The metrics of a batch, in evaluation mode without gradients. Their names end in the unit (``mae_suv``)."""

    @property
    def stages(self) -> dict[str, Model]:
        """What is trained one after another, by name: here the model alone."""
        return {"main": self}

    def network(self, name: str) -> nn.Module:
        """The network ``name`` of the requirements, as planned, with the channels that the fields give it. It adds the
        planned windows to its input by itself, where the requirements say so."""
        need, dimensions, planned = self.requirements.networks[name], self.requirements.dimensions, self.planned
        channels = need.in_channels(self.fields, planned, dimensions), need.out_channels(self.fields, dimensions)
        network = build_network(planned.network(need.role(planned.networks)), *channels)
        inputs = normalized_inputs(self.fields, planned) if need.has_windows else ()
        return add_input_windows(
            network, [(channel, *ends) for channel, plan in inputs for ends in normalized_windows(plan)]
        )

    def squeezed(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (N, C, Z, Y, X) as this method uses them: in 2D without the axis Z, along which they have 1 voxel."""
        return patches.squeeze(2) if self.requirements.dimensions == 2 and patches.ndim == 5 else patches

    def used_for_inference(self, weight: str) -> bool:
        """Whether predicting or sampling uses the entry of ``state_dict`` with this name."""
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

    def full_precision(self) -> contextlib.AbstractContextManager:
        """A block without autocast, for what needs float32 (a gradient penalty); its inputs must be float32."""
        device = next(self.parameters()).device
        return torch.autocast(device.type, enabled=False)

    def adam(self, parameters: Iterable[nn.Parameter], learning_rate: float | None = None) -> torch.optim.Adam:
        """The Adam optimizer of the hyper-parameters, in one kernel where torch has it for the device."""
        hparams, parameters = self.hyperparameters, list(parameters)
        rate = hparams.learning_rate if learning_rate is None else learning_rate
        fused = bool(parameters) and {parameter.device.type for parameter in parameters} <= {"cpu", "cuda"}
        return torch.optim.Adam(parameters, lr=rate, betas=(hparams.beta1, hparams.beta2), fused=fused)


class PredictionModel(Model):
    """A model that predicts its targets from input images."""

    @abstractmethod
    def predict(self, inputs: Batch) -> dict[str, torch.Tensor]:
        """The targets by name, from normalised inputs (N, 1, *space) by name; evaluation mode, without gradients.

        Of an image the normalised values (N, 1, *space), of a label map the logits (N, labels + 1, *space).
        """


class Synthesis(Model):
    """A model that makes images without an input image."""

    @abstractmethod
    def sample(self, conditions: Mapping[str, int], count: int, seed: int) -> dict[str, torch.Tensor]:
        """``count`` samples of every target by name (count, 1, *space), normalised, with these classes by condition.
        The same seed gives the same samples; evaluation mode, without gradients."""


Method = Union[Model, "StagedMethod"]


@contextlib.contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Inside the block the networks' parameters get no gradients (those of their inputs flow through). See Update."""
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
