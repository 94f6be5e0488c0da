"""Networks: nn.Modules that know no plans and no losses."""

from ct2pet.networks.building import build_network, silence_last_layer

__all__ = ["build_network", "silence_last_layer"]
