"""A moving average of the weights for prediction, which is less noisy than the last weights."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ct2pet.errors import CheckpointError
from ct2pet.models.base import Method

_WARM_UP = 10


class WeightAverage:
    """Exponential moving average of the networks of ``method`` that predict or sample: used for validation and
    prediction, while training continues with the raw weights. With a decay of 0 there is no average, and all results
    are the raw weights.

    After Polyak and Juditsky, SIAM J. Control Optim. 1992. The decay increases from 0.1 to ``decay`` as (1 + step) /
    (10 + step), so that the first weights soon have no influence.
    """

    def __init__(self, method: Method, decay: float) -> None:
        self.method, self.decay = method, decay
        both = itertools.chain(
            method.named_parameters(), method.named_buffers()
        )  # each once, also where it has two names
        live = {name: tensor.detach() for name, tensor in both if decay > 0 and method.used_for_inference(name)}
        self.averages = {name: tensor.clone() for name, tensor in live.items()}
        self._float = [(self.averages[name], live[name]) for name in live if live[name].is_floating_point()]
        self._other = [(self.averages[name], live[name]) for name in live if not live[name].is_floating_point()]

    def decay_at(self, step: int) -> float:
        """The decay after update number ``step`` (0, 1, ...)."""
        return min(self.decay, (1 + step) / (_WARM_UP + step))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after update number ``step``."""
        if self._float:
            averages, live = zip(*self._float)
            get_ema_multi_avg_fn(self.decay_at(step))(averages, live, None)
        for average, other in self._other:
            average.copy_(other)

    def weights(self) -> dict[str, torch.Tensor]:
        """The method's state_dict with the averages in place of the weights that predict or sample."""
        averages = {live.data_ptr(): average for average, live in (*self._float, *self._other)}
        return {name: averages.get(live.data_ptr(), live) for name, live in self.method.state_dict().items()}

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside the block the method has the averages; after it, its own weights, bit-equal."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for average, live in (*self._float, *self._other):
            kept = live.clone()
            live.copy_(average)
            average.copy_(kept)

    @torch.no_grad()
    def restart(self) -> None:
        """Restart with the current weights."""
        for average, live in (*self._float, *self._other):
            average.copy_(live)

    def load(self, averages: Mapping[str, torch.Tensor]) -> None:
        """Continue with the averages of a checkpoint. Raises CheckpointError where they are of other weights."""
        if averages.keys() != self.averages.keys():
            raise CheckpointError("the checkpoint's averages (ema_decay) are not those of this model's weights")
        for name, average in self.averages.items():
            average.copy_(averages[name])
