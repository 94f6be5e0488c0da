"""The folder of a model as versions of ct2pet wrote it that knew CT and PET alone: plans of schema_version 1."""

import json

from tiny import PATCHGAN, UNET

from ct2pet.checkpoint import save_checkpoint
from ct2pet.layout import CHECKPOINT_FINAL, PLANS, fold_folder, model_folder

_UNET_3D = {
    "input_channels": 1,
    "n_stages": 2,
    "features_per_stage": [8, 16],
    "conv_op": "torch.nn.Conv3d",
    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 2]],
    "n_conv_per_stage": [1, 1],
    "num_classes": 1,
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.InstanceNorm3d",
    "norm_op_kwargs": {"affine": True},
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"negative_slope": 0.2},
    "deep_supervision": False,
}
_UNET_2D = {
    **_UNET_3D,
    "conv_op": "torch.nn.Conv2d",
    "kernel_sizes": [[3, 3], [3, 3]],
    "strides": [[1, 1], [2, 2]],
    "norm_op": "torch.nn.InstanceNorm2d",
}
_PATCHGAN = {"in_channels": 2, "base_features": 8, "num_strided_layers": 1}
_CONFIGURATION = {
    "labels": [1],
    "spacing": [4.0, 4.0, 4.0],
    "median_shape": [24, 24, 24],
    "patch_size": [16, 16, 16],
    "batch_size": 2,
    "ct_normalization": {"lower_hu": -500.0, "upper_hu": 500.0},
    "pet_normalization": {"lower_suv": 0.0, "upper_suv": 10.0, "clip": False},
    "masking": {"kind": "context", "margin_mm": 8.0},
    "sampling": {"lesion_fraction": 0.0},
    "augmentation": {
        "rotation_degrees": [0.0, 0.0, 0.0],
        "rotation_probability": 0.0,
        "flip_axes": [],
        "flip_probability": 0.0,
        "noise_std": 0.0,
        "noise_probability": 0.0,
    },
    "tile_overlap": 0.5,
    "mirror_axes": [2],
    "generator": {"network_class": UNET, "arguments": _UNET_3D},
    "discriminator": {"network_class": PATCHGAN, "arguments": _PATCHGAN},
    "slices": {
        "patch_size": [16, 16],
        "batch_size": 4,
        "generator": {"network_class": UNET, "arguments": _UNET_2D},
        "discriminator": {"network_class": PATCHGAN, "arguments": {**_PATCHGAN, "dimensions": 2}},
    },
}
PLANS_1 = {
    "schema_version": 1,
    "dataset_name": "Dataset900_Tiny",
    "plans_name": "ct2petPlans",
    "planner": "tests",
    "districts": {"low": 1, "high": 2},
    "configurations": {"low": _CONFIGURATION, "high": {"inherits_from": "low", "labels": [2]}},
    "models": {},
    "blend_mm": 4.0,
    "settings": {},
    "segmenters": [],
}


def write_model(results, method, plans, weights):
    """The folders of a method for two districts; ``plans``: as JSON, ``weights``: the state dict of each district."""
    for name, state in weights.items():
        folder = model_folder(results, plans["dataset_name"], method, plans["plans_name"], name)
        folder.mkdir(parents=True)
        (folder / PLANS).write_text(json.dumps(plans))
        content = {"model_name": method, "configuration_name": name, "plans": plans, "model": state}
        save_checkpoint(fold_folder(folder, "all") / CHECKPOINT_FINAL, content)
