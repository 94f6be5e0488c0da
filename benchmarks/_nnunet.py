"""nnU-Net's plans for the benchmarks' case: its defaults, and its resampling with torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

LABELS = {"background": 0, "head": 1, "trunk": 2, "arms": 3, "legs": 4}
_DEFAULT = {"order_z": 0, "force_separate_z": None}
_TORCH = {"force_separate_z": False, "memefficient_seg_resampling": False}


def quietly() -> None:
    """nnU-Net needs its folders at its import, although they are not used here."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ.setdefault(name, os.devnull)


def plans(
    spacing: Sequence[float], patch_size: Sequence[int], normalization: str = "CTNormalization", *, torch: bool = False
) -> dict[str, Any]:
    """Plans of one configuration, "3d_fullres", as its planner writes them for one channel."""
    function = "resample_torch_fornnunet" if torch else "resample_data_or_seg_to_shape"
    data = {"is_seg": False, **(_TORCH if torch else {"order": 3, **_DEFAULT})}
    labels = {"is_seg": True, **(_TORCH if torch else {"order": 1, **_DEFAULT})}
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(patch_size),
        "median_image_size_in_voxels": list(patch_size),
        "spacing": list(spacing),
        "normalization_schemes": [normalization],
        "use_mask_for_norm": [False],
        "resampling_fn_data": function,
        "resampling_fn_seg": function,
        "resampling_fn_probabilities": function,
        "resampling_fn_data_kwargs": data,
        "resampling_fn_seg_kwargs": labels,
        "resampling_fn_probabilities_kwargs": data,
        "architecture": {"network_class_name": "", "arch_kwargs": {}, "_kw_requires_import": []},
    }
    return {
        "dataset_name": "Dataset777_Benchmark",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(spacing),
        "original_median_shape_after_transp": list(patch_size),
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 20.0, "std": 200.0, "percentile_00_5": -950.0, "percentile_99_5": 600.0}
        },
    }


def dataset_json(labels: dict[str, Any]) -> dict[str, Any]:
    return {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}
