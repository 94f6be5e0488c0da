"""One encoder with several decoders: a U-Net that answers several outputs from the same features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from dynamic_network_architectures.building_blocks.plain_conv_encoder import PlainConvEncoder
from dynamic_network_architectures.building_blocks.residual_encoders import ResidualEncoder
from dynamic_network_architectures.building_blocks.simple_conv_blocks import ConvDropoutNormReLU
from dynamic_network_architectures.building_blocks.unet_decoder import UNetDecoder
from torch import nn

# Sub-modules that dynamic-network-architectures registers a second time: the layers of a block, which are in its
# ``all_modules``, and the encoder in every decoder.
_REGISTERED_TWICE = {ConvDropoutNormReLU: ("conv", "dropout", "norm", "nonlin"), UNetDecoder: ("encoder",)}


class SharedEncoderUNet(nn.Module):
    """An encoder of dynamic-network-architectures and one ``UNetDecoder`` for each output.

    With one output it is ``ResidualEncoderUNet``, or ``PlainConvUNet`` where ``encoder_class`` is PlainConvEncoder.
    ResEncL of nnU-Net (Isensee et al., MICCAI 2024) has features 32 to 320, blocks 1, 3, 4, 6, 6, 6 and one convolution
    per stage of the decoder; see ``planning.network_recipes.shared_encoder_arguments``.

    ``out_channels``: the channels of each output. ``encoder_arguments``: those of ``encoder_class`` under its own names
    (``n_stages``, ``features_per_stage``, ``conv_op``, ``kernel_sizes``, ``strides``, ``n_blocks_per_stage`` or
    ``n_conv_per_stage``, ``conv_bias``, ``norm_op``, ``norm_op_kwargs``, ``nonlin``, ``nonlin_kwargs``). Raises
    TypeError where the encoder does not take one of them, and ValueError without outputs.

    ``forward`` takes (N, input_channels, *space) and returns one entry for each output: (N, out_channels, *space), or,
    while training with ``deep_supervision``, a list of such tensors from full resolution down to the second lowest
    stage. The heads of all resolutions always exist, so that weights fit with and without deep supervision. The state
    dict holds each tensor once.
    """

    def __init__(
        self,
        input_channels: int,
        out_channels: Sequence[int],
        n_conv_per_stage_decoder: int | Sequence[int],
        deep_supervision: bool = False,
        encoder_class: type[PlainConvEncoder] | type[ResidualEncoder] = ResidualEncoder,
        **encoder_arguments: Any,
    ) -> None:
        super().__init__()
        if not out_channels:
            raise ValueError("a network with a shared encoder needs at least one output")
        self.deep_supervision = deep_supervision
        self.encoder = encoder_class(input_channels, return_skips=True, **encoder_arguments)
        self.decoders = nn.ModuleList(
            UNetDecoder(self.encoder, channels, n_conv_per_stage_decoder, deep_supervision) for channels in out_channels
        )
        _register_once(self)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor] | list[list[torch.Tensor]]:
        skips = self.encoder(image)
        outputs = [decoder(skips) for decoder in self.decoders]
        if self.deep_supervision and not self.training:
            return [levels[0] for levels in outputs]
        return outputs


def _register_once(network: nn.Module) -> None:
    """Keep the second names of sub-modules as plain attributes, which state dicts do not see, but functions of
    dynamic-network-architectures do (``init_last_bn_before_add_to_0``)."""
    for module in list(network.modules()):
        for name in _REGISTERED_TWICE.get(type(module), ()):
            if hasattr(module, name):
                child = getattr(module, name)
                delattr(module, name)
                object.__setattr__(module, name, child)
