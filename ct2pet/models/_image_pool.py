"""Fakes of earlier updates for a discriminator, so that it does not forget what it has seen."""

from __future__ import annotations

import torch

from ct2pet import distributed


class ImagePool:
    """Keeps up to ``size`` fakes (1, C, *space).

    Once it is full, half of the fakes that come are exchanged for random ones of the pool (Shrivastava et al.,
    CVPR 2017; Zhu et al., ICCV 2017). Randomness comes from torch's generator on the CPU.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.images: list[torch.Tensor] = []

    def exchange(self, fakes: torch.Tensor) -> torch.Tensor:
        """Fakes (N, C, *space) in, as many out: themselves or older ones, without gradients.

        The pools of several processes are one: each gets the fakes of all and gives back its own share.
        """
        whole = distributed.all_gather(fakes.detach())
        exchanged = torch.cat([self._one(fake) for fake in whole.split(1)])
        return exchanged[distributed.batch_share(len(whole))]

    def _one(self, fake: torch.Tensor) -> torch.Tensor:
        if len(self.images) < self.size:
            self.images.append(fake.clone())
            return fake
        if self.size == 0 or torch.rand(()) < 0.5:
            return fake
        index = int(torch.randint(self.size, ()))
        older, self.images[index] = self.images[index], fake.clone()
        return older
