"""A configuration that a CPU trains in a fraction of a second, for the tests."""

from dataclasses import replace

from ct2pet.dataset import Fields
from ct2pet.dataset.fields import ct_to_pet
from ct2pet.planning.configuration import (
    Augmentation,
    Configuration,
    Masking,
    NetworkPlan,
    Normalization,
    Sampling,
    Slices,
)
from ct2pet.planning.plans import Plans

UNET = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
PATCHGAN = "ct2pet.networks.patchgan.PatchGAN"
_DISCRIMINATOR = {"base_features": 8, "num_strided_layers": 1}
FIELDS = Fields((*ct_to_pet().inputs, *ct_to_pet().targets))
CT_WINDOW = Normalization(-500.0, 500.0, True, [-1.0, 1.0])
SUV_WINDOW = Normalization(0.0, 10.0, False, [0.0, 1.0])
NO_AUGMENTATION = Augmentation([0.0] * 3, 0.0, [], 0.0, 0.0, 0.0)


def tiny_configuration(**changes) -> Configuration:
    """8 features, two stages, patches of 16 voxels cubed and slices of 16 squared."""
    generator = {
        "n_stages": 2,
        "features_per_stage": [8, 16],
        "conv_op": "torch.nn.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm3d",
        "norm_op_kwargs": {"affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"negative_slope": 0.2},
        "deep_supervision": False,
    }
    slices = Slices(
        patch_size=[16, 16],
        batch_size=4,
        networks={
            "generator": NetworkPlan(UNET, {**generator, **_flat(generator)}),
            "discriminator": NetworkPlan(PATCHGAN, {**_DISCRIMINATOR, "dimensions": 2}),
        },
    )
    configuration = Configuration(
        labels=[1],
        spacing=[4.0, 4.0, 4.0],
        median_shape=[24, 24, 24],
        patch_size=[16, 16, 16],
        batch_size=2,
        normalization={"CT": CT_WINDOW, "PET": SUV_WINDOW},
        masking=Masking("context", 8.0),
        sampling=Sampling(0.0),
        augmentation=NO_AUGMENTATION,
        tile_overlap=0.5,
        mirror_axes=[],
        networks={"generator": NetworkPlan(UNET, generator), "discriminator": NetworkPlan(PATCHGAN, _DISCRIMINATOR)},
        slices=slices,
    )
    return replace(configuration, **changes)


def _flat(generator) -> dict:
    axes = {name: [size[1:] for size in generator[name]] for name in ("kernel_sizes", "strides")}
    return {**axes, "conv_op": "torch.nn.Conv2d", "norm_op": "torch.nn.InstanceNorm2d"}


def tiny_plans(**changes) -> Plans:
    return Plans(
        dataset_name="Dataset900_Tiny",
        plans_name="ct2petPlans",
        planner="tests",
        fields=list(FIELDS),
        districts={"trunk": 1},
        configurations={"trunk": tiny_configuration(**changes)},
        models={"pix2pix": {"num_epochs": 4, "iterations_per_epoch": 3, "decay_epochs": 2}},
        blend_mm=0.0,
    )
