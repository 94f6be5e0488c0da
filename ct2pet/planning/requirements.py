"""What a method asks of the planner, the data loader and the memory: handed to planning, which knows no methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Requirements:
    """What a model needs.

    ``networks``: the plans' networks (``generator``, ``discriminator``; ``registration`` is a generator that sees two
    images and answers a displacement) and how many of each are in memory. ``passes``: how often each network's
    activations are held at once in one update (a generator trained through its discriminator holds one pass of both).
    ``paired``: CT and PET patch of the same place. ``dimensions``: 3 for patches, 2 for axial slices. ``batch``: the
    keys that training_step reads. ``stages``: of a method that is trained in several stages what each one needs, by
    name and in order; its own ``networks`` and ``passes`` are empty. ``hyperparameters``: the method's numbers with
    their default values, copied into the plans for users to edit.
    """

    networks: Mapping[str, int] = field(default_factory=dict)
    passes: Mapping[str, int] = field(default_factory=dict)
    paired: bool = True
    dimensions: int = 3
    batch: tuple[str, ...] = ("ct", "pet", "mask")
    stages: Mapping[str, Requirements] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trainings(self) -> tuple[Requirements, ...]:
        """What is in memory at once: the stages' needs, or those of the one training."""
        return tuple(self.stages.values()) or (self,)
