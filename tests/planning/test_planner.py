"""Which number of the fingerprint, or of the budget, moves which decision."""

import math
from dataclasses import replace

import pytest
from fingerprints import GAN, description, district, fingerprint
from tiny import FIELDS

from ct2pet.errors import PlansError
from ct2pet.planning.budget import budget_for
from ct2pet.planning.configuration import Normalization
from ct2pet.planning.memory_estimate import estimate_training_gib
from ct2pet.planning.planner import PlanRequest, plan_experiment, planned_sampling
from ct2pet.planning.plans import Plans
from ct2pet.planning.requirements import FieldNeeds, NetworkNeed

DEMANDING = {name: replace(need, copies=2, passes=4) for name, need in GAN.networks.items()}


def plan(seen=None, device="cpu", target=64.0, needs=GAN):
    seen = fingerprint(head=seen or district())
    return plan_experiment(
        seen, description(), {"pix2pix": needs}, PlanRequest(device=device, memory_target_gib=target)
    )


def head(*arguments, **options):
    return plan(*arguments, **options).configuration("head")


def changed(configuration, other):
    """The decisions that differ."""
    return {name for name in vars(configuration) if getattr(configuration, name) != getattr(other, name)}


def test_the_spacing_is_the_median_pet_spacing():
    seen = replace(district(), spacings=[[2.0, 4.0, 4.0], [3.0, 4.1, 4.1], [9.0, 4.2, 4.2]])
    assert head(seen).spacing == [3.0, 4.1, 4.1]


def test_the_ct_window_of_a_district_changes_only_its_normalization():
    one, other = head(district(ct=(-1000.0, 1500.0))), head(district(ct=(-150.0, 250.0)))
    assert one.normalization["CT"] == Normalization(-1000.0, 1500.0, True, [-1.0, 1.0])
    assert other.normalization["CT"] == Normalization(-150.0, 250.0, True, [-1.0, 1.0])
    assert changed(one, other) == {"normalization"}


def test_a_little_dense_bone_does_not_take_the_contrast_of_soft_tissue():
    seen = district()
    limb = {"0.5": -230.0, "5": -120.0, "50": 20.0, "95": 200.0, "99.5": 1300.0}
    window = head(replace(seen, percentiles={"CT": limb})).normalization["CT"]
    assert (window.lower, window.upper) == (-120.0 - 0.25 * 320, 200.0 + 0.25 * 320)


def test_a_district_of_one_tissue_gets_a_window_of_some_width():
    window = head(district(ct=(40.0, 40.0))).normalization["CT"]
    assert (window.lower, window.upper) == (-10.0, 90.0)


def test_the_box_limits_the_patch_and_gives_the_median_shape():
    large, thin = head(district(box_mm=(800, 800, 800))), head(district(box_mm=(800, 60, 800)))
    assert large.median_shape == [200, 200, 200]
    assert thin.median_shape == [200, 15, 200]
    assert large.patch_size[1] == 40
    assert thin.patch_size[1] == 16
    assert thin.patch_size[0] > large.patch_size[0], "what a thin district does not need goes to the other axes"
    assert changed(large, thin) == {"median_shape", "patch_size", "networks"}


def test_the_median_box_counts_not_the_largest():
    seen = replace(district(), box_sizes_mm=[[100.0] * 3, [120.0] * 3, [900.0] * 3])
    assert head(seen).median_shape == [30, 30, 30]


def test_coarse_slices_give_flat_patches_and_strides():
    flat = head(district(spacing=(10.0, 2.5, 2.5)))
    assert flat.patch_size[0] < flat.patch_size[1] / 2
    assert flat.networks["generator"].arguments["strides"][1] == [1, 2, 2]
    assert flat.networks["generator"].arguments["kernel_sizes"][0] == [1, 3, 3]
    assert head().networks["generator"].arguments["strides"][1] == [2, 2, 2]


@pytest.mark.parametrize("box_mm", [(400, 400, 400), (90, 500, 300), (1800, 90, 90), (20, 20, 20)])
def test_on_a_cpu_a_patch_has_at_most_40_cubed_voxels_and_does_not_waste_them_on_air(box_mm):
    chosen = head(district(box_mm=box_mm))
    assert math.prod(chosen.patch_size) <= 40**3
    assert chosen.batch_size == 2
    assert all(patch < shape + 16 or patch == 8 for patch, shape in zip(chosen.patch_size, chosen.median_shape))


def test_more_memory_gives_larger_patches_then_larger_batches():
    seen = district(box_mm=(1000, 1000, 1000))
    small, medium, large, huge = (head(seen, "cuda", target) for target in (2.0, 8.0, 60.0, 200.0))
    voxels = [math.prod(chosen.patch_size) for chosen in (small, medium, large, huge)]
    assert voxels[0] < voxels[1] < voxels[2] == voxels[3]
    assert large.batch_size < huge.batch_size == 8
    for chosen, target in ((small, 2.0), (medium, 8.0), (large, 60.0)):
        assert 0.7 * target < estimate_training_gib(chosen, FIELDS, GAN, "cuda") <= target


def test_on_a_cpu_too_little_memory_shrinks_the_patch():
    assert math.prod(head(target=0.45).patch_size) < math.prod(head(target=8.0).patch_size)


def test_a_method_that_needs_more_memory_has_a_smaller_patch():
    demanding = replace(GAN, networks=DEMANDING)
    assert math.prod(head(device="cuda", target=8.0, needs=demanding).patch_size) < math.prod(
        head(device="cuda", target=8.0).patch_size
    )


def test_a_target_that_nothing_fits_is_refused():
    with pytest.raises(PlansError, match=r"head: no training fits into 0\.10 GiB"):
        plan(target=0.1)
    with pytest.raises(PlansError, match="too small for a training"):
        plan(target=-1.0)


def test_the_default_budgets(monkeypatch):
    monkeypatch.setattr("ct2pet.planning.budget.available_memory_gib", lambda: 12.0)
    assert budget_for("cpu").memory_gib == 6.0
    assert budget_for("cuda").memory_gib == 8.0


def test_a_gpu_plan_has_wider_networks():
    assert head(device="cuda").networks["generator"].arguments["features_per_stage"][0] == 32
    assert head(device="cpu").networks["generator"].arguments["features_per_stage"][0] == 8


def test_every_district_that_occurs_is_planned_and_the_whole_body_is_their_union():
    seen = fingerprint(head=district(), trunk=district(box_mm=(100, 100, 100)), whole_body=district())
    planned = plan_experiment(seen, description(), {"pix2pix": GAN}, PlanRequest())
    assert list(planned.configurations) == ["head", "trunk", "whole_body"]
    assert [c.labels for c in planned.configurations.values()] == [[1], [2], [1, 2]]
    assert planned.configuration("head").patch_size != planned.configuration("trunk").patch_size


def test_a_district_that_no_case_has_is_not_planned_and_no_district_at_all_is_refused():
    assert list(plan().configurations) == ["head"]
    with pytest.raises(PlansError, match="no training case has any of the districts head, trunk"):
        plan_experiment(fingerprint(head=district(num_cases=0)), description(), {"pix2pix": GAN}, PlanRequest())


def test_the_methods_numbers_are_copied_for_users_to_edit():
    assert plan().models == {"pix2pix": dict(GAN.hyperparameters)}


def test_plans_are_the_same_from_disk(tmp_path):
    planned = plan()
    planned.save(tmp_path / "plans.json")
    assert Plans.load(tmp_path / "plans.json") == planned


def test_memory_is_planned_for_the_methods_that_are_named_and_numbers_are_copied_of_all():
    demanding = replace(GAN, networks=DEMANDING, hyperparameters={"pool_size": 50})
    needs, seen = {"gan": GAN, "cycle": demanding}, fingerprint(head=district())

    def planned(sized_for):
        request = PlanRequest(device="cuda", memory_target_gib=6.0, sized_for=sized_for)
        return plan_experiment(seen, description(), needs, request)

    def voxels(plans):
        configuration = plans.configuration("head")
        return configuration.batch_size * math.prod(configuration.patch_size)

    assert voxels(planned(["gan"])) > voxels(planned(["cycle"])) == voxels(planned(None))
    assert planned(["gan"]).configurations == plan(device="cuda", target=6.0).configurations
    assert planned(["gan"]).models["cycle"] == {"pool_size": 50}
    assert planned(["gan"]).settings["sized_for"] == ["gan"]


TWO_INPUTS = {"channel_names": {"0": "CT", "1": "low_dose_PET"}, "targets": {"PET": {}}}
LABELS = {"kind": "labels", "labels": {"liver": 1, "spleen": 2}}


def planned_for(seen=None, needs=GAN, **content):
    found = description(**content)
    return plan_experiment(
        fingerprint(head=seen or district()), found, {"m": needs}, PlanRequest(memory_target_gib=64.0)
    )


def test_channels_are_not_in_the_plans_but_counted_where_memory_is_estimated():
    one, two = planned_for(), planned_for(**TWO_INPUTS)
    networks = one.configuration("head").networks
    assert not {"input_channels", "num_classes", "in_channels"} & {
        name for network in networks.values() for name in network.arguments
    }
    gib = [estimate_training_gib(plans.configuration("head"), plans.all_fields, GAN, "cpu") for plans in (one, two)]
    assert gib[0] < gib[1]


def test_every_image_is_normalised_by_the_rule_of_its_kind_and_role():
    windows = planned_for(**TWO_INPUTS).configuration("head").normalization
    assert windows["CT"].clip
    assert windows["low_dose_PET"] == Normalization(0.0, 10.0, False, [-1.0, 1.0])  # an input
    assert windows["PET"] == Normalization(0.0, 10.0, False, [0.0, 1.0])  # a target


def test_label_maps_are_not_normalised_and_patches_are_drawn_at_labels():
    segmenting = replace(GAN, fields=FieldNeeds(label_targets=(1, 1)))
    chosen = planned_for(needs=segmenting, channel_names={"0": "CT"}, targets={"PET": {}, "organs": LABELS})
    configuration = chosen.configuration("head")
    assert set(configuration.normalization) == {"CT", "PET"}
    assert configuration.sampling.label_fraction == pytest.approx(1 / 3)
    assert head().sampling.label_fraction == 0


def test_left_and_right_are_not_mirrored_if_labels_name_a_side():
    segmenting = replace(GAN, fields=FieldNeeds(label_targets=(1, 1)))
    sided = {"kind": "labels", "labels": {"kidney_left": 1, "kidney_right": 2}}
    for labels, axes in ((LABELS, [2]), (sided, [])):
        chosen = planned_for(needs=segmenting, channel_names={"0": "CT"}, targets={"PET": {}, "organs": labels})
        assert chosen.configuration("head").augmentation.flip_axes == axes


def test_methods_that_cannot_take_the_fields_are_omitted_and_refused_where_they_are_named():
    segmenting = replace(GAN, fields=FieldNeeds(label_targets=(1, 1)))
    methods = {"gan": GAN, "seg": segmenting}
    seen = fingerprint(head=district())
    assert set(plan_experiment(seen, description(), methods, PlanRequest(memory_target_gib=64.0)).models) == {"gan"}
    with pytest.raises(PlansError, match=r"seg takes 1 target label map\(s\), and the dataset has 0"):
        plan_experiment(seen, description(), methods, PlanRequest(sized_for=["seg"]))
    with pytest.raises(PlansError, match="no method supports the fields"):
        plan_experiment(seen, description(), {"seg": segmenting}, PlanRequest())
    low_dose = replace(GAN, dataset_keys=("dose_fraction",))
    with pytest.raises(PlansError, match=r"low needs the key dose_fraction in dataset\.json$"):
        plan_experiment(seen, description(), {"low": low_dose, "seg": segmenting}, PlanRequest())


def test_only_the_whole_body_is_planned_without_districts():
    seen = fingerprint(whole_body=district())
    planned = plan_experiment(seen, description(districts={}), {"m": GAN}, PlanRequest(memory_target_gib=64.0))
    assert {name: c.labels for name, c in planned.configurations.items()} == {"whole_body": [1]}
    assert (planned.districts, planned.body_mask) == ({}, "CT")
    assert planned.default_configurations == ["whole_body"]


def test_a_role_that_no_recipe_makes_is_refused():
    foreign = replace(GAN, networks={"other": NetworkNeed("other")})
    roles = "generator, discriminator, residual_unet, resnet_generator, shared_encoder"
    with pytest.raises(PlansError, match=f"no network for the role 'other'; known are {roles}"):
        planned_for(needs=foreign)


def test_images_of_a_class_are_planned_around_lesions_with_all_classes_alike():
    targets, conditions = {"PET": {"kind": "pet"}}, {"diagnosis": ["benign", "malignant"]}
    fields = description(districts={}, channel_names={}, targets=targets, conditions=conditions).fields
    planned = planned_sampling(fields)
    assert (planned.lesion_fraction, planned.balanced_over, planned.lesions_centred) == (1.0, "diagnosis", True)
    other = planned_sampling(description().fields)
    assert (other.lesion_fraction, other.balanced_over, other.lesions_centred) == (0.1, "", False)


def test_a_target_spacing_replaces_the_median_and_boxes_keep_their_size_in_mm():
    def planned(spacing):
        request = PlanRequest(memory_target_gib=64.0, target_spacing=spacing)
        return plan_experiment(fingerprint(head=district()), description(), {"pix2pix": GAN}, request)

    wide, usual = planned((6.0, 5.0, 4.0)), planned(None)
    head_, before = wide.configuration("head"), usual.configuration("head")
    assert head_.spacing == [6.0, 5.0, 4.0]
    for shape, mm, old_shape, old_mm in zip(head_.median_shape, head_.spacing, before.median_shape, before.spacing):
        assert abs(shape * mm - old_shape * old_mm) <= mm + old_mm
    assert wide.settings["target_spacing"] == [6.0, 5.0, 4.0]
    assert "target_spacing" not in usual.settings


@pytest.mark.parametrize("spacing", [(1.0, 2.0), (1.0, 2.0, 0.0), (1.0, 2.0, math.inf), (1.0, math.nan, 1.0)])
def test_an_invalid_target_spacing_is_refused(spacing):
    with pytest.raises(PlansError, match="three positive numbers"):
        PlanRequest(target_spacing=spacing)


def test_windows_are_weighted_by_a_gaussian_in_new_plans_and_alike_in_plans_that_do_not_say():
    made = plan()
    assert {planned.window_weights for planned in made.configurations.values()} == {"gaussian"}
    content = made.to_json()
    for planned in content["configurations"].values():
        del planned["window_weights"]
    older = Plans.from_json(content)
    assert {planned.window_weights for planned in older.configurations.values()} == {"uniform"}
