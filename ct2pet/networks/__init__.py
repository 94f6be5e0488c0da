"""Networks: nn.Modules, independent of plans and losses, and functions that move images."""

from ct2pet.networks.building import build_network
from ct2pet.networks.initialization import initialize_discriminator, initialize_generator, zero_init_last_layer
from ct2pet.networks.input_windows import InputWindows, add_input_windows, count_input_windows
from ct2pet.networks.optical_flow import optical_flow
from ct2pet.networks.small_maps import guard_small_maps
from ct2pet.networks.warping import gaussian_smooth, valid_mask, warp

__all__ = [
    "InputWindows",
    "add_input_windows",
    "build_network",
    "count_input_windows",
    "gaussian_smooth",
    "guard_small_maps",
    "initialize_discriminator",
    "initialize_generator",
    "optical_flow",
    "valid_mask",
    "warp",
    "zero_init_last_layer",
]
