"""The peers are the U-Nets of dynamic-network-architectures with one decoder, whose weights are copied."""

import copy
import io

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from dynamic_network_architectures.building_blocks.plain_conv_encoder import PlainConvEncoder
from network_classes import all_outputs
from torch import nn

from ct2pet.errors import PlansError
from ct2pet.networks import build_network, guard_small_maps
from ct2pet.networks.shared_encoder import SharedEncoderUNet
from ct2pet.planning.configuration import NetworkPlan
from ct2pet.planning.network_recipes import SHARED_ENCODER

OUTPUTS = [1, 3]


def encoder_arguments(axes=3, **changes):
    arguments = {
        "n_stages": 3,
        "features_per_stage": [4, 8, 12],
        "conv_op": {2: nn.Conv2d, 3: nn.Conv3d}[axes],
        "kernel_sizes": [[1, *[3] * (axes - 1)], *[[3] * axes] * 2],
        "strides": [[1] * axes, [1, *[2] * (axes - 1)], [2] * axes],
        "n_blocks_per_stage": [1, 2, 2],
        "conv_bias": True,
        "norm_op": {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}[axes],
        "norm_op_kwargs": {"affine": True},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
    }
    return {**arguments, **changes}


def plain(arguments):
    blocks = arguments.pop("n_blocks_per_stage")
    return {**arguments, "n_conv_per_stage": blocks}


def network(axes=3, deep_supervision=True, seed=0):
    torch.manual_seed(seed)
    return SharedEncoderUNet(1, OUTPUTS, [2, 1], deep_supervision, **encoder_arguments(axes))


def image(axes=3, dtype=torch.float32):
    shape = (2, 1, *[8, 16, 12][-axes:])
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def loss_of(outputs):
    return sum((output - 1).square().mean() for output in all_outputs(outputs))


def peer_weights(shared, number):
    """The weights of one decoder and of the encoder, by the names of a U-Net with one decoder."""
    names = shared.state_dict()
    own = {k.replace(f"decoders.{number}.", "decoder."): v for k, v in names.items() if f"decoders.{number}." in k}
    encoder = {k: v for k, v in names.items() if k.startswith("encoder.")}
    return {**own, **encoder, **{f"decoder.{k}": v for k, v in encoder.items()}}


@pytest.mark.parametrize("deep_supervision", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("residual", [True, False], ids=["residual", "plain"])
def test_each_output_is_that_of_a_u_net_with_the_same_weights(residual, axes, deep_supervision):
    torch.manual_seed(0)
    arguments = encoder_arguments(axes) if residual else plain(encoder_arguments(axes))
    kind = {} if residual else {"encoder_class": PlainConvEncoder}
    shared = SharedEncoderUNet(1, OUTPUTS, [2, 1], deep_supervision, **kind, **arguments)
    found = shared(image(axes))
    assert len(found) == len(OUTPUTS)
    for number, channels in enumerate(OUTPUTS):
        peer_class = ResidualEncoderUNet if residual else PlainConvUNet
        peer = peer_class(1, num_classes=channels, n_conv_per_stage_decoder=[2, 1], **arguments)
        peer.decoder.deep_supervision = deep_supervision
        differences = peer.load_state_dict(peer_weights(shared, number), strict=False)
        assert not differences.unexpected_keys
        assert not any("all_modules" in name for name in differences.missing_keys)  # second names of these alone
        expected = peer(image(axes))
        assert type(found[number]) is type(expected)
        for own, of_peer in zip(all_outputs(found[number]), all_outputs(expected), strict=True):
            torch.testing.assert_close(own, of_peer)


def test_outputs_of_all_resolutions_are_returned_in_training_mode_only():
    supervised = network()
    full_resolution = [levels[0] for levels in supervised(image())]
    assert [len(levels) for levels in supervised(image())] == [2, 2]
    for while_predicting, while_training in zip(supervised.eval()(image()), full_resolution, strict=True):
        torch.testing.assert_close(while_predicting, while_training)
    without = network(deep_supervision=False, seed=3)
    without.load_state_dict(supervised.state_dict())  # the heads of all resolutions always exist
    for output, expected in zip(without(image()), full_resolution, strict=True):
        torch.testing.assert_close(output, expected)


def test_the_state_dict_holds_each_tensor_once():
    shared = network()
    tensors = shared.state_dict()
    places = {tensor.data_ptr() for tensor in tensors.values()}
    assert len(places) == len(tensors)
    assert list(tensors) == [name for name, _ in shared.named_parameters()]
    assert sum(tensor.numel() for tensor in tensors.values()) == sum(p.numel() for p in shared.parameters())


def test_functions_of_the_library_still_find_the_second_names():
    shared = network()
    ResidualEncoderUNet.initialize(shared.encoder.stages[0].blocks[0])  # sets the block's last norm to 0
    assert not shared.state_dict()["encoder.stages.0.blocks.0.conv2.all_modules.1.weight"].any()
    assert shared.decoders[0].encoder is shared.encoder


def test_an_optimizer_counts_each_parameter_once_and_the_encoder_learns_from_all_outputs():
    shared = network(deep_supervision=False)
    optimizer = torch.optim.SGD(shared.parameters(), lr=0.1)
    optimized = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert len(optimized) == len({id(parameter) for parameter in optimized}) == len(shared.state_dict())
    parameter = shared.encoder.stem.convs[0].conv.weight
    separate = [torch.autograd.grad(loss_of(shared(image())[number]), parameter)[0] for number in range(len(OUTPUTS))]
    assert all(gradient.abs().sum() > 0 for gradient in separate)
    before = parameter.detach().clone()
    loss_of(shared(image())).backward()
    torch.testing.assert_close(parameter.grad, sum(separate))
    optimizer.step()
    torch.testing.assert_close(parameter.detach(), before - 0.1 * sum(separate))


def test_saved_weights_give_the_same_outputs_in_a_new_network():
    shared, other = network().eval(), network(seed=5).eval()
    file = io.BytesIO()
    torch.save(shared.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert all(torch.equal(a, b) for a, b in zip(shared(image()), other(image()), strict=True))


def test_a_copy_shares_nothing_with_the_original_and_its_decoders_read_its_own_encoder():
    shared = network().eval()
    twin = copy.deepcopy(shared)
    places = [{tensor.data_ptr() for tensor in both.state_dict().values()} for both in (shared, twin)]
    assert not places[0] & places[1]
    expected = shared(image())
    assert all(torch.equal(a, b) for a, b in zip(expected, twin(image()), strict=True))
    with torch.no_grad():
        twin.encoder.stem.convs[0].conv.weight.mul_(-1)
    assert all(torch.equal(a, b) for a, b in zip(expected, shared(image()), strict=True))
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(expected, twin(image()), strict=True))


def test_another_type_and_another_device_reach_all_of_it():
    shared = network().to(torch.float64)
    assert {parameter.dtype for parameter in shared.parameters()} == {torch.float64}
    assert {output.dtype for output in all_outputs(shared(image(dtype=torch.float64)))} == {torch.float64}
    on_meta = shared.to("meta")
    assert {output.device.type for output in all_outputs(on_meta(image(dtype=torch.float64).to("meta")))} == {"meta"}


def test_it_compiles_as_one_graph_with_the_same_outputs_and_gradients():
    torch.compiler.reset()
    small = encoder_arguments(2, n_stages=2, features_per_stage=4, kernel_sizes=3, strides=[1, 2], n_blocks_per_stage=1)
    shared = SharedEncoderUNet(1, OUTPUTS, 1, deep_supervision=True, **small)
    compiled = torch.compile(copy.deepcopy(shared), backend="aot_eager", fullgraph=True)
    for training in (False, True):
        found, expected = compiled.train(training)(image(2)), shared.train(training)(image(2))
        assert [type(output) for output in found] == [list if training else torch.Tensor] * len(OUTPUTS)
        for own, of_peer in zip(all_outputs(found), all_outputs(expected), strict=True):
            torch.testing.assert_close(own, of_peer)
    loss_of(found).backward()
    loss_of(expected).backward()
    for own, of_peer in zip(compiled.parameters(), shared.parameters(), strict=True):
        torch.testing.assert_close(own.grad, of_peer.grad)


def test_guarding_small_maps_keeps_the_weights_names():
    shared = network()
    names = list(shared.state_dict())
    assert list(guard_small_maps(shared).state_dict()) == names
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss_of(shared(image())).backward()
    assert all(parameter.grad.isfinite().all() for parameter in shared.parameters())


def test_a_misspelt_argument_and_a_network_without_outputs_are_refused():
    named = encoder_arguments(conv_op="torch.nn.Conv3d", norm_op="torch.nn.InstanceNorm3d", nonlin="torch.nn.LeakyReLU")
    named |= {"n_conv_per_stage_decoder": 1}
    outputs = build_network(NetworkPlan(SHARED_ENCODER, named), 1, OUTPUTS)(image())
    assert [output.shape[1] for output in outputs] == OUTPUTS
    with pytest.raises(PlansError, match=r"SharedEncoderUNet .*wheels"):
        build_network(NetworkPlan(SHARED_ENCODER, {**named, "wheels": 4}), 1, OUTPUTS)
    with pytest.raises(PlansError, match="at least one output"):
        build_network(NetworkPlan(SHARED_ENCODER, named), 1, [])
