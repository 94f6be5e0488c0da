"""Whether generated images differ among themselves as much as real ones do."""

from __future__ import annotations

import torch


def diversity_gap(real: torch.Tensor, fake: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """How much less alike real images are than generated ones: 1 - d(fake) / d(real), 0 where it would be negative.

    d is the mean absolute difference of two images of one class, over all pairs of the batch; images (N, C, *space),
    ``classes`` (N) of both. 1 where all generated images of each class are the same. A batch without two images of one
    class gives 0. The idea of the term is that of Mao et al., CVPR 2019 ("Mode seeking generative adversarial
    networks"); measured against real images it has no effect on a generator that is diverse enough.
    """
    distances = torch.stack([_mean_distances(images, classes) for images in (real, fake)])
    of_real, of_fake = distances.unbind()
    return (1 - of_fake / of_real.detach().clamp_min(1e-6)).clamp_min(0) * (of_real > 0)


def _mean_distances(images: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    flat = images.flatten(1)
    within = [torch.pdist(flat[classes == one], p=1) for one in classes.unique()]
    pairs = torch.cat(within) / flat.shape[1]
    return pairs.mean() if len(pairs) else flat.sum() * 0
