"""A trained model of nnU-Net, small enough for a test, that does something known: it labels by the CT number."""

import importlib.util
import json
from pathlib import Path

PATCH = (16, 16, 16)
STAGES = 2


def write_nnunet(folder, labels, thresholds, *, spacing, trainer="nnUNetTrainer", known_as=None):
    """Write ``folder``/``known_as``__nnUNetPlans__3d_fullres.

    The label (0, 1, ...) is the number of ``thresholds`` (HU, ascending) that a voxel exceeds; ``labels``
    {name: label} has as many labels besides the background. ``trainer`` is looked up in the packages' code;
    ``known_as`` (default: the same) need not be there.
    """
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    model = folder / f"{known_as or trainer}__nnUNetPlans__3d_fullres"
    (model / "fold_0").mkdir(parents=True)
    architecture = {
        "n_stages": STAGES,
        "features_per_stage": [2] * STAGES,
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[1, 1, 1]] * STAGES,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1] * STAGES,
        "n_conv_per_stage_decoder": [1] * (STAGES - 1),
        "conv_bias": True,
        "norm_op": None,
        "norm_op_kwargs": None,
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    (model / "dataset.json").write_text(json.dumps(_dataset(labels)))
    (model / "plans.json").write_text(json.dumps(_plans(architecture, spacing)))
    network = PlainConvUNet(
        1,
        num_classes=len(thresholds) + 1,
        **{**architecture, "conv_op": torch.nn.Conv3d, "nonlin": torch.nn.LeakyReLU},
    )
    _teach(network, thresholds)
    checkpoint = {
        "network_weights": network.state_dict(),
        "trainer_name": trainer,
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": None,
    }
    torch.save(checkpoint, model / "fold_0" / "checkpoint_final.pth")


def _teach(network, thresholds):
    """Set the weights: HU + 2000 is carried over the skip, and the logit of label k rises with k times that."""
    import torch

    weights = network.state_dict()
    for tensor in weights.values():
        tensor.zero_()
    (first,) = (name for name in weights if name == "encoder.stages.0.0.convs.0.conv.weight")
    weights[first][0, 0] = 1
    weights[first.replace("weight", "bias")][0] = 2000
    (second,) = (name for name in weights if name == "decoder.stages.0.convs.0.conv.weight")
    weights[second][0, 2] = 1  # channels 0 and 1 come from below, 2 and 3 over the skip
    sums = torch.cumsum(torch.tensor([0.0, *(value + 2000.0 for value in thresholds)]), 0)
    (last,) = (name for name in weights if name == "decoder.seg_layers.0.weight")
    for label, total in enumerate(sums):
        weights[last][label, 0] = label / 1000  # nnU-Net keeps half precision
        weights[last.replace("weight", "bias")][label] = -total / 1000
    network.load_state_dict(weights)


def _dataset(labels):
    return {
        "channel_names": {"0": "CT"},
        "labels": labels,
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }


def _plans(architecture, spacing):
    resampling = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": PATCH,
        "median_image_size_in_voxels": PATCH,
        "spacing": spacing,
        "normalization_schemes": ["NoNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resampling,
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": resampling,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": architecture,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    return {
        "dataset_name": "Dataset000_tiny",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": spacing,
        "original_median_shape_after_transp": PATCH,
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {"mean": 0.0, "std": 1.0}},
    }


def files_of(package):
    """All files of an installed package but compiled ones."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    return sorted(path for path in Path(folder).rglob("*") if path.suffix != ".pyc" and path.is_file())
