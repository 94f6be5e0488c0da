import json

import pytest
import torch
from network_classes import built

from ct2pet.planning.network_recipes import (
    PATCHGAN,
    SHARED_ENCODER,
    UNET,
    patchgan_arguments,
    shared_encoder_arguments,
    unet_arguments,
)
from ct2pet.planning.topology import patchgan_maps, unet_topology

PATCHES = {"isotropic": ([16, 16, 16], [4, 4, 4]), "flat": ([10, 32, 24], [8, 2, 2]), "slice": ([32, 24], [2, 2])}


@pytest.fixture(params=PATCHES)
def patch_and_topology(request):
    patch, spacing = PATCHES[request.param]
    return patch, unet_topology(patch, spacing, 4)


def test_features_double_up_to_the_limit():
    topology = unet_topology([64] * 3, [1, 1, 1], 5)
    for recipe in (unet_arguments, shared_encoder_arguments):
        assert recipe(topology, 16, 100)["features_per_stage"] == [16, 32, 64, 100, 100]


def test_a_patch_of_192_voxels_has_the_stages_of_resencl():
    arguments = shared_encoder_arguments(unet_topology([192] * 3, [2, 2, 2], 6), 32, 320)
    assert arguments["features_per_stage"] == [32, 64, 128, 256, 320, 320]
    assert arguments["n_blocks_per_stage"] == [1, 3, 4, 6, 6, 6]
    assert arguments["n_conv_per_stage_decoder"] == [1] * 5
    assert arguments["deep_supervision"] is True


@pytest.mark.parametrize(("patch", "blocks"), [(8, [1, 3]), (16, [1, 3, 4]), (256, [1, 3, 4, 6, 6, 6, 6])])
def test_shallower_and_deeper_networks_have_the_same_blocks_per_stage(patch, blocks):
    topology = unet_topology([patch] * 3, [2, 2, 2], 8)
    assert shared_encoder_arguments(topology, 8, 64)["n_blocks_per_stage"] == blocks


def test_arguments_are_json_and_hold_no_channels(patch_and_topology):
    patch, topology = patch_and_topology
    recipes = unet_arguments(topology, 8, 32), shared_encoder_arguments(topology, 8, 32), patchgan_arguments(patch, 8)
    for arguments in recipes:
        assert json.loads(json.dumps(arguments)) == arguments
        assert not {"input_channels", "num_classes", "in_channels", "out_channels"} & set(arguments)


def test_a_u_net_keeps_the_grid_and_a_patchgan_scores_the_maps_of_the_plan(patch_and_topology):
    patch, topology = patch_and_topology
    image = torch.randn(1, 2, *patch)
    assert built(UNET, unet_arguments(topology, 4, 16), 2, 3)(image).shape == (1, 3, *patch)
    arguments = patchgan_arguments(patch, 4)
    scores = built(PATCHGAN, arguments, 2, None)(image)
    assert [1, *patchgan_maps(patch, arguments["strides"])[-1]] == list(scores.shape[1:])


def test_a_shared_encoder_has_outputs_at_all_resolutions_but_the_lowest(patch_and_topology):
    patch, topology = patch_and_topology
    network = built(SHARED_ENCODER, shared_encoder_arguments(topology, 4, 16), 1, [1, 3])
    sizes, size = [], patch
    for stride in topology.strides[:-1]:
        size = [n // s for n, s in zip(size, stride)]
        sizes.append(size)
    for channels, levels in zip([1, 3], network(torch.randn(1, 1, *patch))):
        assert [list(level.shape) for level in levels] == [[1, channels, *size] for size in sizes]
