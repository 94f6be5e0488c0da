"""The weights that a translation begins with."""

from __future__ import annotations

from torch import nn

from ct2pet.errors import PlansError

ZERO_OUTPUT, NORMAL = "zero_output", "normal"
_STANDARD_DEVIATION = 0.02


def initialize_generator(network: nn.Module, kind: str) -> nn.Module:
    """``zero_output``: the layers' own initialisation and a last layer of zeros (see zero_init_last_layer). ``normal``:
    see normal_init. Raises PlansError for other names."""
    return zero_init_last_layer(network) if _checked(kind) == ZERO_OUTPUT else normal_init(network)


def initialize_discriminator(network: nn.Module, kind: str) -> nn.Module:
    """``zero_output``: the layers' own initialisation. ``normal``: see normal_init. Raises PlansError for others."""
    return network if _checked(kind) == ZERO_OUTPUT else normal_init(network)


def normal_init(network: nn.Module) -> nn.Module:
    """Weights of convolutions from N(0, 0.02), of norms from N(1, 0.02), biases 0, as in Pix2Pix and CycleGAN (Isola et
    al., CVPR 2017, appendix 6.2; the norms' as in the authors' code)."""
    for module in network.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if weight is None:
            continue
        mean = 0.0 if weight.ndim > 1 else 1.0  # a norm has one weight a channel
        nn.init.normal_(weight, mean, _STANDARD_DEVIATION)
        if bias is not None:
            nn.init.zeros_(bias)
    return network


def zero_init_last_layer(network: nn.Module) -> nn.Module:
    """Set the last convolution to zero, so that an untrained generator answers 0 (SUV 0) everywhere.

    A random first answer is far from any PET, and a short training spends a large part of its steps on unlearning it.
    """
    last = [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Conv3d))][-1]
    nn.init.zeros_(last.weight)
    if last.bias is not None:
        nn.init.zeros_(last.bias)
    return network


def _checked(kind: str) -> str:
    if kind not in (ZERO_OUTPUT, NORMAL):
        raise PlansError(f"the initialization {kind!r} does not exist; there are {ZERO_OUTPUT} and {NORMAL}")
    return kind
