import pytest
import torch
from network_classes import (
    BOTTLENECK,
    CLASSES,
    WITH_DECODERS,
    WITH_RESIDUAL_BLOCKS,
    all_outputs,
    arguments_of,
    built,
)

from ct2pet.errors import PlansError
from ct2pet.networks.resnet_generator import ResNetGenerator
from ct2pet.planning.network_recipes import (
    PATCHGAN,
    PLAIN_ENCODER,
    RESIDUAL_ENCODER_UNET,
    RESNET_GENERATOR,
    SHARED_ENCODER,
    UNET,
    residual_unet_arguments,
    resnet_generator_arguments,
)
from ct2pet.planning.network_size import RESIDUAL_ENCODER, RESIDUAL_UNET, count
from ct2pet.planning.topology import unet_topology

CUBE, FLAT, SLICE = ([24, 24, 24], [4.0] * 3), ([12, 48, 40], [8.0, 2.0, 2.0]), ([64, 96], [2.0] * 2)
NO_NORM = {"norm_op": None, "norm_op_kwargs": None}
LEAKY, RELU = "torch.nn.LeakyReLU", "torch.nn.ReLU"
LAYERS = {
    "planned": {},
    "no norm": NO_NORM,
    "no norm, not in place": {**NO_NORM, "nonlin": LEAKY, "nonlin_kwargs": None},
    "not affine, ReLU": {"norm_op_kwargs": {}, "nonlin": RELU, "nonlin_kwargs": None},
    "no bias, not in place": {"conv_bias": False, "nonlin": LEAKY, "nonlin_kwargs": {}},
    "no activation": {"nonlin": None, "nonlin_kwargs": None},
    "GELU": {"nonlin": "torch.nn.GELU", "nonlin_kwargs": None},
}


def outputs_of(network_class):
    return [1, 19] if network_class == SHARED_ENCODER else 3


def kept_values(network, patch, channels):
    """What autograd really keeps of a pass and of a loss that saves the outputs: each storage once, without weights."""
    kept = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes() // 4, storage)  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        sum(output.square().sum() for output in all_outputs(network(torch.randn(1, channels, *patch))))
    return sum(values for values, _ in kept.values())


def assert_counted(network_class, arguments, patch):
    """Parameters are equal. Kept values are equal without norms; with them, their statistics may add up to 1.5%."""
    outputs = outputs_of(network_class)
    parameters, activations = count(network_class, arguments, patch, 2, outputs)
    on_meta = built(network_class, arguments, 2, outputs, device="meta")
    assert parameters == sum(parameter.numel() for parameter in on_meta.parameters())
    kept = kept_values(built(network_class, arguments, 2, outputs), patch, 2)
    if network_class != PATCHGAN and arguments["norm_op"] is None:
        assert activations == kept
    else:
        assert activations <= kept <= 1.015 * activations


@pytest.mark.parametrize("patch", [CUBE, FLAT, SLICE], ids=["cube", "flat", "slice"])
@pytest.mark.parametrize("network_class", CLASSES)
def test_the_count_of_a_planned_network_equals_torch(network_class, patch):
    assert_counted(network_class, arguments_of(network_class, *patch), patch[0])


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("network_class", [UNET, SHARED_ENCODER])
def test_the_count_equals_torch_with_other_norms_and_activations(network_class, layers):
    assert_counted(network_class, {**arguments_of(network_class, *CUBE, stages=3), **LAYERS[layers]}, CUBE[0])


@pytest.mark.parametrize("patch", [CUBE, SLICE], ids=["3D", "2D"])
def test_the_count_equals_torch_with_batch_norms(patch):
    norms = {"norm_op": f"torch.nn.BatchNorm{len(patch[0])}d", "norm_op_kwargs": None}
    assert_counted(RESIDUAL_UNET, {**arguments_of(RESIDUAL_UNET, *patch, stages=3), **norms}, patch[0])
    assert_counted(RESIDUAL_ENCODER_UNET, residual_unet_arguments(unet_topology(*patch, 3), 4, 8), patch[0])


@pytest.mark.parametrize("deep_supervision", [False, True])
@pytest.mark.parametrize("network_class", WITH_DECODERS)
def test_the_count_equals_torch_with_and_without_deep_supervision(network_class, deep_supervision):
    arguments = {**arguments_of(network_class, *CUBE), **NO_NORM, "deep_supervision": deep_supervision}
    assert_counted(network_class, arguments, CUBE[0])


@pytest.mark.parametrize("network_class", WITH_RESIDUAL_BLOCKS)
def test_the_count_equals_torch_with_bottleneck_blocks_and_a_stem_of_another_width(network_class):
    changes = {"block": BOTTLENECK, "bottleneck_channels": [2, 3, 4], "stem_channels": 6}
    assert_counted(network_class, {**arguments_of(network_class, *CUBE, stages=3), **changes}, CUBE[0])


def test_the_count_equals_torch_with_a_plain_shared_encoder():
    arguments = {**arguments_of(UNET, *CUBE), "encoder_class": PLAIN_ENCODER}
    assert_counted(SHARED_ENCODER, arguments, CUBE[0])


def test_the_count_equals_torch_with_different_numbers_of_convolutions_per_stage():
    uneven = {"n_conv_per_stage": [1, 3, 2, 1], "n_conv_per_stage_decoder": [3, 2, 1]}
    assert_counted(UNET, {**arguments_of(UNET, [32, 32, 32]), **uneven, **NO_NORM}, [32, 32, 32])


@pytest.mark.parametrize("patch", [[16, 8, 12], [16, 24]], ids=["3D", "2D"])
def test_the_count_of_the_resnet_generator_equals_torch(patch):
    arguments = resnet_generator_arguments(len(patch), 4, 16)
    parameters, activations = count(RESNET_GENERATOR, arguments, patch, 2, 3)
    network = ResNetGenerator(2, 3, **arguments)
    assert parameters == sum(parameter.numel() for parameter in network.parameters())
    assert activations <= kept_values(network, patch, 2) <= 1.015 * activations


def test_a_strided_first_stage_is_counted_at_its_resolution():
    for network_class in (UNET, RESIDUAL_ENCODER_UNET):
        arguments = {**arguments_of(network_class, *CUBE), **NO_NORM}
        arguments["strides"] = [[2, 2, 2], [2, 2, 2], [2, 2, 1]]
        assert_counted(network_class, arguments, CUBE[0])


def test_one_value_for_all_stages_counts_as_a_list_of_it():
    listed = arguments_of(UNET, *CUBE, stages=3)
    listed |= {"features_per_stage": [8] * 3, "strides": [[2] * 3] * 3}
    short = {"features_per_stage": 8, "strides": 2, "kernel_sizes": 3, "n_conv_per_stage": 2}
    short["n_conv_per_stage_decoder"] = 2
    assert count(UNET, {**listed, **short}, CUBE[0], 1, 1) == count(UNET, listed, CUBE[0], 1, 1)
    assert_counted(UNET, {**listed, **short}, CUBE[0])


def test_arguments_that_switch_something_off_change_nothing():
    arguments = arguments_of(RESIDUAL_ENCODER_UNET, *CUBE)
    off = {"dropout_op": None, "dropout_op_kwargs": None, "squeeze_excitation": False, "stochastic_depth_p": 0.0}
    expected = count(RESIDUAL_ENCODER_UNET, arguments, CUBE[0], 1, 1)
    assert count(RESIDUAL_ENCODER_UNET, {**arguments, **off}, CUBE[0], 1, 1) == expected


@pytest.mark.parametrize(
    ("network_class", "changes", "words"),
    [
        ("torch.nn.Identity", {}, r"torch\.nn\.Identity cannot be estimated; known are .*SharedEncoderUNet"),
        (UNET, {"dropout_op": "torch.nn.Dropout3d"}, "PlainConvUNet with dropout_op cannot"),
        (RESIDUAL_ENCODER, {"squeeze_excitation": True, "pool_type": "max"}, "with squeeze_excitation, pool_type"),
        (PLAIN_ENCODER, {"pool": "avg"}, "with pool cannot"),
        (RESIDUAL_ENCODER, {"disable_default_stem": True}, "with disable_default_stem cannot"),
        (UNET, {"input_channels": 1}, "with input_channels cannot"),
        (UNET, {"norm_op": "torch.nn.GroupNorm"}, r"torch\.nn\.GroupNorm cannot"),
        (SHARED_ENCODER, {"encoder_class": UNET}, r"with .*PlainConvUNet cannot"),
        (SHARED_ENCODER, {"encoder_class": PLAIN_ENCODER}, "argument 'n_conv_per_stage' is missing"),
        (RESIDUAL_ENCODER, {"block": BOTTLENECK}, "argument 'bottleneck_channels' is missing"),
    ],
)
def test_a_network_that_cannot_be_counted_is_refused_by_name(network_class, changes, words):
    arguments = arguments_of(network_class, *CUBE) if network_class in CLASSES else {}
    with pytest.raises(PlansError, match=words):
        count(network_class, {**arguments, **changes}, CUBE[0], 1, outputs_of(network_class))


def test_two_outputs_of_a_network_with_one_are_refused():
    with pytest.raises(PlansError, match="PlainConvUNet has one output, not 2"):
        count(UNET, arguments_of(UNET, *CUBE), CUBE[0], 1, [1, 19])


def test_a_residual_encoder_of_192_voxels_with_two_decoders():
    """Too large to run in a test: parameters equal torch's, and kept values are proportional to the voxels."""
    arguments = arguments_of(SHARED_ENCODER, [192] * 3, features=32, stages=6)
    parameters, activations = count(SHARED_ENCODER, arguments, [192] * 3, 1, [1, 19])
    on_meta = built(SHARED_ENCODER, arguments, 1, [1, 19], device="meta")
    assert parameters == sum(parameter.numel() for parameter in on_meta.parameters())
    assert activations == 6**3 * count(SHARED_ENCODER, arguments, [32] * 3, 1, [1, 19])[1]
