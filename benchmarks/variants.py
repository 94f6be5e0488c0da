"""The arms of ``comparison.py``: each is a method with plans that differ from the default plans in one point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ct2pet.fingerprint.fingerprint import DistrictFingerprint
from ct2pet.planning.configuration import Configuration, Masking, NetworkPlan, Normalization, ValueChanges
from ct2pet.planning.network_recipes import RESIDUAL_ENCODER_UNET
from ct2pet.planning.networks import NetworkSize, plan_discriminator, plan_generator, plan_residual_unet
from ct2pet.planning.topology import unet_topology

DEFAULT, PAPER = "ct2petPlans", "paper_2503_15555"
SOFT_TISSUE_HU, TUMOUR_HU = (-150.0, 250.0), (-20.0, 100.0)
_WIDE_HU = 800.0  # twice the soft-tissue window
_LEAST_COMMON_HU = 100.0
_SMALL_PATCH, _BOX_PATCH = 12, 32  # voxels
_COARSER = 1.5  # times the planned spacing
Change = Callable[[Configuration, DistrictFingerprint], Configuration]


@dataclass(frozen=True)
class Arm:
    """A method, the plans to begin with, what to change in each configuration, and numbers of the method in place of
    the plans'. ``whole_body``: one network for all districts. ``pretraining``: the share of the time in which the whole
    body is trained first. ``begins_with``: the arm that is trained in the first half of the time; its weights are those
    that the second half begins with."""

    model: str = "pix2pix"
    plans: str = DEFAULT
    whole_body: bool = False
    pretraining: float = 0.0
    begins_with: str = ""
    change: Change = lambda configuration, seen: configuration
    numbers: Mapping[str, Any] = field(default_factory=dict)


def sampling(**values: Any) -> Change:
    return lambda c, seen: replace(c, sampling=replace(c.sampling, **values))


def augmentation(**values: Any) -> Change:
    return lambda c, seen: replace(c, augmentation=replace(c.augmentation, **values))


def augmented(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """Larger rotations and more of them, scaling, and other values of CTs, as in nnU-Net."""
    turned = {"rotation_degrees": [20.0] * 3, "rotation_probability": 0.4}
    scaled = {"scaling_range": [0.71, 1.4], "scaling_probability": 0.5}
    values = ValueChanges(probability=0.3, blur_voxels=[0.3, 1.0], contrast=[0.8, 1.25], shift=0.075, gamma=[0.7, 1.4])
    return replace(c, augmentation=replace(c.augmentation, **turned, **scaled, ct_values=values))


def with_networks(c: Configuration, **networks: NetworkPlan) -> Configuration:
    """The configuration with other networks of these roles."""
    return replace(c, networks={**c.networks, **networks})


def generator(**values: Any) -> Change:
    def change(c: Configuration, seen: DistrictFingerprint) -> Configuration:
        planned = c.network("generator")
        return with_networks(c, generator=replace(planned, arguments={**planned.arguments, **values}))

    return change


def two_windows(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """The CT also in the soft-tissue window, where the planned window is wide, so that soft tissues differ by a few per
    cent of it, and has soft tissues."""
    ct = c.normalization["CT"]
    common = min(ct.upper, SOFT_TISSUE_HU[1]) - max(ct.lower, SOFT_TISSUE_HU[0])
    if ct.upper - ct.lower <= _WIDE_HU or common < _LEAST_COMMON_HU:
        return c
    return replace(c, normalization={**c.normalization, "CT": replace(ct, windows=[list(SOFT_TISSUE_HU)])})


def three_windows(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """The CT also in the windows of the built-in model, and half of the patches on lesions."""
    windows = [list(SOFT_TISSUE_HU), list(TUMOUR_HU)]
    ct = replace(c.normalization["CT"], windows=windows)
    changed = replace(c, normalization={**c.normalization, "CT": ct})
    return replace(changed, sampling=replace(c.sampling, lesion_fraction=0.5))


def patch(edge: int, batch_size: int) -> Change:
    """Patches of up to ``edge`` voxels, no longer than the district's box needs."""

    def change(c: Configuration, seen: DistrictFingerprint) -> Configuration:
        size = [max(8, min(edge, -(-n // 8) * 8)) for n in c.median_shape]
        topology = unet_topology(size, c.spacing, 5)
        features = c.network("generator").arguments["features_per_stage"][0]
        base = c.network("discriminator").arguments["base_features"]
        return with_networks(
            replace(c, patch_size=size, batch_size=batch_size),
            generator=plan_generator(topology, features, 128),
            discriminator=plan_discriminator(size, base),
        )

    return change


def residual(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """nnU-Net's residual encoder: one to six blocks a stage, one convolution in the decoder."""
    arguments = dict(c.network("generator").arguments)
    stages = arguments["n_stages"]
    del arguments["n_conv_per_stage"]
    arguments |= {
        "n_blocks_per_stage": [1, 3, 4, 6, 6, 6][:stages],
        "n_conv_per_stage_decoder": [1] * (stages - 1),
    }
    return with_networks(c, generator=NetworkPlan(RESIDUAL_ENCODER_UNET, arguments))


def small_patches(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """The windows of the built-in model; small patches, so that many lesions are seen in a given time, a fifth of them
    on lesions; a residual U-Net of two stages, three times as wide, with batch normalisation."""
    size, batch_size, features = [min(_SMALL_PATCH, n // 2 * 2) for n in c.median_shape], 16, 24
    network = NetworkSize(size, unet_topology(size, c.spacing, 2), features, 2 * features)
    base = c.network("discriminator").arguments["base_features"]
    sampled = replace(c.sampling, lesion_fraction=0.2)
    return with_networks(
        replace(three_windows(c, seen), patch_size=size, batch_size=batch_size, sampling=sampled),
        generator=plan_residual_unet(network),
        discriminator=plan_discriminator(size, base),
    )


def lesion_unet(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """The windows and patches of the built-in model, a fifth of them on lesions; a U-Net twice as wide, with batch
    normalisation."""
    return _wide_unet(three_windows(c, seen), _BOX_PATCH, 4, batch_size=2)


def coarse_unet(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """``lesion_unet`` with 1.5 times the voxels' edges, patches of twice as many voxels along each axis and another
    stage."""
    shape = [math.ceil(n / _COARSER) for n in c.median_shape]
    coarse = replace(c, spacing=[_COARSER * mm for mm in c.spacing], median_shape=shape)
    return _wide_unet(three_windows(coarse, seen), 2 * _BOX_PATCH, 5, batch_size=1)


def _wide_unet(c: Configuration, edge: int, stages: int, *, batch_size: int) -> Configuration:
    size = [max(8, min(edge, n // 8 * 8)) for n in c.median_shape]
    base = c.network("discriminator").arguments["base_features"]
    plan = plan_generator(unet_topology(size, c.spacing, stages), 16, 128)
    batch_norm = NetworkPlan(plan.network_class, {**plan.arguments, "norm_op": "torch.nn.BatchNorm3d"})
    sampled = replace(c.sampling, lesion_fraction=0.2)
    return with_networks(
        replace(c, patch_size=size, batch_size=batch_size, sampling=sampled),
        generator=batch_norm,
        discriminator=plan_discriminator(size, base),
    )


def many_lesions(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """``lesion_unet`` with four fifths of the patches on lesions."""
    return sampling(lesion_fraction=0.8)(lesion_unet(c, seen), seen)


def nnunet(c: Configuration, seen: DistrictFingerprint) -> Configuration:
    """nnU-Net's 3d_fullres as far as plans hold it: the patch of the whole box, batch 2, 32 to 320 features, a third of
    the patches on lesions, its CT window, rotations, flips and mirroring."""
    changed = patch(128, 2)(c, seen)
    topology = unet_topology(changed.patch_size, c.spacing, 6)
    at = seen.percentiles["CT"]
    changed = replace(
        changed,
        normalization={**c.normalization, "CT": Normalization(at["0.5"], at["99.5"], True, [-1.0, 1.0])},
        sampling=replace(c.sampling, lesion_fraction=0.33),
        augmentation=replace(
            c.augmentation,
            rotation_degrees=[30.0, 30.0, 30.0],
            rotation_probability=0.2,
            flip_axes=[0, 1, 2],
            noise_probability=0.1,
        ),
        mirror_axes=[0, 1, 2],
    )
    return with_networks(changed, generator=plan_generator(topology, 32, 320))


ARMS = {
    "default": Arm(),
    "whole_body": Arm(whole_body=True),
    "cyclegan": Arm("cyclegan"),
    "paper": Arm(plans=PAPER),
    "regression": Arm("regression"),
    "regression_nnunet": Arm("regression", change=nnunet, numbers={"learning_rate": 3e-4}),
}


_L1 = {"lambda_l2": 0.0}


def of_l1(change: Change | None = None, model: str = "pix2pix", **numbers: Any) -> Arm:
    """An earlier variant than the squared difference, for a comparison with ``l1``."""
    arm = Arm(model, numbers={**_L1, **numbers})
    return arm if change is None else replace(arm, change=change)


VARIANTS = {
    "l1": of_l1(),
    "patch_64": of_l1(patch(64, 1)),
    "residual_encoder": of_l1(residual),
    "no_norm": of_l1(generator(norm_op=None, norm_op_kwargs=None)),
    "ema_99": of_l1(ema_decay=0.99),
    "batch_1": of_l1(lambda c, seen: replace(c, batch_size=1)),
    "beta_90": of_l1(beta1=0.9),
    "rate_0.002": of_l1(learning_rate=2e-3),
    "uptake_3": of_l1(model="pix2pix_tried", uptake_weight=3.0),
    "maxima": of_l1(model="pix2pix_tried", lambda_max=50.0),
    "asinh": of_l1(model="pix2pix_tried", knee=0.1),
    "lesions_50": Arm(change=sampling(lesion_fraction=0.5)),
    "lesions_50_uptake": Arm("pix2pix_tried", change=sampling(lesion_fraction=0.5), numbers={"uptake_weight": 10.0}),
    "lesions_33": Arm(change=sampling(lesion_fraction=0.33)),
    "turned": Arm(change=augmentation(flip_axes=[0, 1, 2], rotation_probability=1.0, noise_probability=1.0)),
    "hard_mask": Arm(change=lambda c, seen: replace(c, masking=Masking("hard", 0.0))),
    "mirror": Arm(change=lambda c, seen: replace(c, mirror_axes=[2])),
    "pretrained": Arm(pretraining=0.5),
    "l2_150": Arm(numbers={"lambda_l2": 150.0}),
    "l2_500": Arm(numbers={"lambda_l2": 500.0}),
    "l2_only": Arm(numbers={"lambda_l1": 0.0, "lambda_l2": 300.0}),
    "two_windows": Arm(change=two_windows),
    "augmented": Arm(change=augmented),
    "regression_augmented": Arm("regression", change=augmented),
    "l2_three_windows": Arm(change=three_windows, numbers={"lambda_l2": 500.0}),
    "lesion_head": Arm("lesion_regression", change=small_patches, numbers={"learning_rate": 4e-3}),
    "lesion_unet": Arm("lesion_regression", change=lesion_unet, numbers={"learning_rate": 4e-3}),
    "wide_unet": Arm("regression", change=lesion_unet, numbers={"lambda_l2": 5.0, "learning_rate": 4e-3}),
    "coarse_unet": Arm("lesion_regression", change=coarse_unet, numbers={"learning_rate": 4e-3}),
    "feature_unet": Arm(
        "segmenter_features", change=lesion_unet, numbers={"learning_rate": 4e-3, "segmenter_steps": 200}
    ),
    "many_lesions_unet": Arm("lesion_regression", change=many_lesions, numbers={"learning_rate": 4e-3}),
    "curriculum_unet": Arm(
        "lesion_regression",
        change=lesion_unet,
        numbers={"learning_rate": 4e-3},
        begins_with="many_lesions_unet",
    ),
    "small_patches": Arm("regression", change=small_patches, numbers={"lambda_l2": 5.0, "learning_rate": 4e-3}),
    "l2_150_residual": Arm(numbers={"lambda_l2": 150.0}, change=residual),
}
