"""Networks: nn.Modules that know no plans and no losses, and the warping of their images."""

from ct2pet.networks.building import build_network, silence_last_layer
from ct2pet.networks.small_maps import guard_small_maps
from ct2pet.networks.warping import smoothed, warp

__all__ = ["build_network", "guard_small_maps", "silence_last_layer", "smoothed", "warp"]
