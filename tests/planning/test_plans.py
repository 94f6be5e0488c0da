from dataclasses import asdict, replace

import pytest
from tiny import CT_WINDOW, NO_AUGMENTATION, SUV_WINDOW, tiny_plans
from version_1 import plans_of_version_1

from ct2pet.dataset import Field
from ct2pet.districts import SegmenterIdentity
from ct2pet.errors import PlansError
from ct2pet.planning.plans import Plans

OF_IMAGES = {"scope": "image", "windows": [[-150.0, 250.0]]}
WINDOWS = {"CT": asdict(CT_WINDOW), "PET": asdict(SUV_WINDOW)}
FLAT = asdict(NO_AUGMENTATION)
CT_CHANGES = {"probability": 0.3, "blur_voxels": [0.3, 1], "contrast": [0.8, 1.2], "shift": 0.1, "gamma": [0.7, 1.4]}
TWICE_HALVED = {"network_class": "ct2pet.networks.patchgan.PatchGAN", "arguments": {"strides": [[2, 2, 2]] * 2}}


def content(**changes):
    plans = tiny_plans().to_json()
    plans["configurations"]["trunk"].update(changes)
    return plans


def test_plans_survive_the_disk(tmp_path):
    tiny_plans().save(tmp_path / "plans.json")
    assert Plans.load(tmp_path / "plans.json") == tiny_plans()


def test_the_segmenters_are_kept_and_empty_in_older_plans(tmp_path):
    rules = SegmenterIdentity("rules", "1", {"mm": 4, "names": ["a"]})
    replace(tiny_plans(), segmenters=[rules]).save(tmp_path / "plans.json")
    assert Plans.load(tmp_path / "plans.json").segmenters == [rules]
    older = content()
    del older["segmenters"]
    assert Plans.from_json(older) == tiny_plans()


def test_integers_may_stand_for_real_numbers():
    assert Plans.from_json(content(spacing=[4, 4, 4])).configuration("trunk").spacing == [4.0, 4.0, 4.0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"patchsize": [1, 1, 1]}, "configurations.trunk: unknown key 'patchsize'; did you mean 'patch_size'?"),
        ({"patch_size": [16, 15, 16]}, r"patch_size must be multiples of \[2, 2, 2\]"),
        (
            {"patch_size": [16, 8, 16], "networks": {"discriminator": TWICE_HALVED}},
            "patch_size is too small for the disc",
        ),
        ({"batch_size": "two"}, "batch_size"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"spacing": [4.0, 0.0, 4.0]}, "spacing must be"),
        ({"tile_overlap": 1.0}, "tile_overlap"),
        ({"window_weights": "hann"}, "window_weights must be uniform or gaussian"),
        ({"masking": {"kind": "soft", "margin_mm": 0.0}}, "hard, context or none"),
        ({"tile_layout": "round"}, "fitted or regular"),
        ({"normalization": {}}, "normalization of the image CT, PET is missing"),
        (
            {"normalization": {**WINDOWS, "CT": {**WINDOWS["CT"], "lower": 5.0, "upper": 5.0}}},
            "CT needs finite lower < upper",
        ),
        (
            {"normalization": {**WINDOWS, "PET": {**WINDOWS["PET"], "upper": float("inf")}}},
            "PET.upper: .* finite",
        ),
        ({"normalization": {**WINDOWS, "PET": {**WINDOWS["PET"], "range": [1, 0]}}}, "two increasing numbers"),
        *(
            ({"normalization": {**WINDOWS, "CT": {**WINDOWS["CT"], "windows": windows}}}, reason)
            for windows, reason in {
                "soft": "CT.windows: .* a list",
                ((0.0,),): "CT: each of windows needs two increasing numbers that overlap lower to upper",
                ((250.0, -150.0),): "CT: each of windows needs two increasing",
                ((-150.0, 250.0), (500.0, 900.0)): "CT: each of windows needs .* overlap",
            }.items()
        ),
        ({"normalization": {**WINDOWS, "CT": {**WINDOWS["CT"], **OF_IMAGES}}}, "CT needs the scope dataset, because"),
        ({"normalization": {**WINDOWS, "PET": {**WINDOWS["PET"], "windows": [[0, 2]]}}}, "PET must not have windows"),
        ({"sampling": {"lesion_fraction": 0.6, "label_fraction": 0.6}}, "must not exceed 1"),
        ({"sampling": {"lesion_fraction": 0.0, "balanced_over": "sex"}}, "balanced_over must be a condition"),
        ({"augmentation": {**FLAT, "misalignment_mm": {"MR": [1, 1, 1]}}}, "misalignment_mm must name fields"),
        ({"augmentation": {**FLAT, "misalignment_mm": {"PET": [1, -1, 1]}}}, "three numbers of at least 0"),
        ({"augmentation": {**FLAT, "dose_fractions": [0.02, 0.25]}}, "needs one PET as input and one as target"),
        *(
            ({"augmentation": {**FLAT, "scaling_range": ends}}, "scaling_range must be two factors from 0.25 to 4")
            for ends in ([1.3], [1.3, 0.8], [0.1, 1.0], [1.0, 5.0], [-1.0, 1.0])
        ),
        *(
            ({"augmentation": {**FLAT, "ct_values": {**CT_CHANGES, name: value}}}, rf"ct_values\.{name} must {rule}")
            for name, value, rule in (
                ("gamma", [1.4, 0.7], "be two numbers above 0, the smaller one first"),
                ("contrast", [0.0, 1.2], "be two numbers above 0"),
                ("blur_voxels", [0.3], "be two numbers"),
                ("probability", 1.5, "be 0 to 1"),
                ("shift", -0.1, "not be negative"),
            )
        ),
        (
            {"networks": {"discriminator": {**TWICE_HALVED, "arguments": {"base_features": 10**7}}}},
            "features must be 1 to",
        ),
        ({"mirror_axes": [3]}, "axes"),
        ({"labels": []}, "labels"),
    ],
)
def test_invalid_plans_are_refused_with_file_and_reason(changes, reason):
    with pytest.raises(PlansError, match=f"mine.json.*{reason}"):
        Plans.from_json(content(**changes), "mine.json")


LOW = Field("PET_low", "input", "pet", folder="images")


@pytest.mark.parametrize(
    ("doses", "window", "reason"),
    [
        ([0.02], {}, "must be the dose of the low-dose PET and a higher one, from above 0 to 1"),
        ([0.25, 0.02], {}, "and a higher one"),
        ([0.0, 0.25], {}, "from above 0"),
        ([0.02, 25.0], {}, "to 1"),
        ([0.02, 0.25], {"clip": True}, "needs normalizations of scope dataset that do not clip"),
        ([0.02, 0.25], {"scope": "image"}, "needs normalizations of scope dataset"),
        ([0.02, 1], {}, None),
    ],
)
def test_doses_increase_and_are_those_of_a_pet_that_is_mixed_linearly(doses, window, reason):
    windows = {**WINDOWS, "PET_low": {**WINDOWS["PET"], **window}}
    plans = content(augmentation={**FLAT, "dose_fractions": doses}, normalization=windows)
    plans["fields"].append(asdict(LOW))
    if reason is None:
        assert Plans.from_json(plans).configuration("trunk").augmentation.dose_fractions == [0.02, 1.0]
        return
    with pytest.raises(PlansError, match=rf"mine.json.*dose_fractions .*{reason}"):
        Plans.from_json(plans, "mine.json")


def test_values_of_cts_need_a_ct_among_the_inputs():
    plans = content(augmentation={**FLAT, "ct_values": CT_CHANGES})
    for one in plans["fields"]:
        one["kind"] = "pet"
    with pytest.raises(PlansError, match=r"mine\.json.*ct_values needs a CT as input"):
        Plans.from_json(plans, "mine.json")


@pytest.mark.parametrize("blend_mm", [-1.0, float("nan"), float("inf")])
def test_a_border_of_no_width_is_refused(blend_mm):
    with pytest.raises(PlansError, match=r"mine\.json: blend_mm(: expected a finite| must be a) number"):
        Plans.from_json({**content(), "blend_mm": blend_mm}, "mine.json")


def test_a_child_inherits_what_it_does_not_replace():
    plans = content()
    plans["configurations"]["trunk_small"] = {"inherits_from": "trunk", "batch_size": 1}
    child = Plans.from_json(plans).configuration("trunk_small")
    parent = Plans.from_json(plans).configuration("trunk")
    assert child.batch_size == 1
    assert {n for n in vars(child) if getattr(child, n) != getattr(parent, n)} == {"batch_size"}


def test_inheriting_in_a_circle_or_from_nothing_is_refused():
    plans = content(inherits_from="other")
    with pytest.raises(PlansError, match="'other', which does not exist"):
        Plans.from_json(plans)
    plans["configurations"]["other"] = {"inherits_from": "trunk"}
    with pytest.raises(PlansError, match="circular inherits_from: trunk -> other -> trunk"):
        Plans.from_json(plans)


def test_an_unknown_configuration_lists_those_there_are():
    with pytest.raises(PlansError, match=r"'head'; there are: trunk"):
        tiny_plans().configuration("head")


def test_another_version_is_refused_with_the_remedy():
    with pytest.raises(PlansError, match="plan again"):
        Plans.from_json({**content(), "schema_version": 3})


def test_plans_of_version_1_are_read_as_what_they_meant():
    plans = plans_of_version_1(content())
    assert Plans.from_json(plans) == tiny_plans()
    plans["configurations"]["child"] = {"inherits_from": "trunk", "ct_normalization": {"lower_hu": 0, "upper_hu": 9}}
    child = Plans.from_json(plans).configuration("child")
    assert (child.normalization["CT"].lower, child.normalization["CT"].upper) == (0.0, 9.0)
    assert child.networks == tiny_plans().configuration("trunk").networks
    plans["configurations"]["child"]["patchsize"] = 3
    with pytest.raises(PlansError, match=r"configurations\.child: unknown key 'patchsize'"):
        Plans.from_json(plans)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("folder", "", "the folder '' of the field CT is not allowed"),
        ("folder", "../x", r"the folder '\.\./x' of the field CT is not allowed"),
        ("name", "../x", r"fields\[0\]\.name '\.\./x' is not allowed"),
        ("name", "PET", "two fields have the same name"),
        ("labels", {"a": -1}, "the field CT has labels below 0"),
    ],
)
def test_names_and_folders_that_no_dataset_can_have_are_refused(key, value, reason):
    plans = content()
    plans["fields"][0][key] = value
    with pytest.raises(PlansError, match=f"^mine: {reason}$"):
        Plans.from_json(plans, "mine")


def test_fields_of_unknown_kinds_and_no_target_are_refused():
    plans = content()
    plans["fields"][0]["kind"] = "mr"
    with pytest.raises(PlansError, match="the field CT has an unknown role or kind"):
        Plans.from_json(plans)
    plans = content()
    with pytest.raises(PlansError, match="at least one target"):
        Plans.from_json({**plans, "fields": plans["fields"][:1]})


@pytest.mark.parametrize("place", [(), ("configurations",), ("configurations", "trunk"), ("fields", 0), ("models",)])
@pytest.mark.parametrize("value", [None, 3, [], [[1]], "x"], ids=str)
@pytest.mark.parametrize("version", [1, 2])
def test_values_of_another_shape_are_refused_in_one_line(place, value, version):
    plans = content()
    plans = plans_of_version_1(plans) if version == 1 else plans
    if version == 1 and place[:1] == ("fields",):
        return
    target = holder = {"document": plans}
    for step in ("document", *place):
        holder, target = target, target[step]
    holder[("document", *place)[-1]] = value
    with pytest.raises(PlansError, match=r"^mine\.json: ") as caught:
        Plans.from_json(holder["document"] if not place else plans, "mine.json")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("parent", [3, ["trunk"], {}, True])
def test_an_invalid_name_of_parent_plans_is_refused(parent):
    with pytest.raises(PlansError, match="configuration trunk: inherits_from must be the name"):
        Plans.from_json(content(inherits_from=parent))
