"""Networks: nn.Modules that know no plans and no losses, and how images are moved."""

from ct2pet.networks.building import build_network, silence_last_layer
from ct2pet.networks.optical_flow import optical_flow
from ct2pet.networks.small_maps import guard_small_maps
from ct2pet.networks.warping import comes_from_inside, smoothed, warp

__all__ = [
    "build_network",
    "comes_from_inside",
    "guard_small_maps",
    "optical_flow",
    "silence_last_layer",
    "smoothed",
    "warp",
]
