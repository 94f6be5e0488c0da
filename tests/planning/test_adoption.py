from dataclasses import replace

import pytest
import torch
from tiny import FIELDS, tiny_configuration

from ct2pet.models import load_model
from ct2pet.planning.adoption import adopt_networks
from ct2pet.planning.networks import plan_discriminator, plan_generator
from ct2pet.planning.plans import Plans
from ct2pet.planning.topology import unet_topology


def planned(patch, batch_size=2, base_features=4):
    """As the planner makes it for isotropic voxels."""
    topology = unet_topology(patch, [4.0] * 3, max_stages=6)
    return tiny_configuration(
        patch_size=patch,
        batch_size=batch_size,
        networks={
            "generator": plan_generator(topology, base_features, 32),
            "discriminator": plan_discriminator(patch, base_features),
        },
    )


def test_a_smaller_district_gets_the_whole_bodys_networks_and_a_patch_that_they_can_take():
    whole, district = planned([64, 64, 64]), planned([24, 24, 40], batch_size=4)
    assert whole.networks["generator"] != district.networks["generator"]
    adopted = adopt_networks(district, whole)
    assert adopted.networks["generator"] == whole.networks["generator"]
    assert adopted.patch_size == [64, 64, 64]  # 4 strided stages, of which the last map holds 4 voxels
    assert adopted.batch_size == 2
    assert adopted.networks["discriminator"] == whole.networks["discriminator"]
    assert replace(adopted, **{name: getattr(district, name) for name in CHANGED}) == district


CHANGED = ("networks", "patch_size", "batch_size")


def test_a_patch_that_fits_the_adopted_networks_is_kept():
    whole, district = planned([32, 32, 32], batch_size=4), planned([24, 32, 24])
    adopted = adopt_networks(district, whole)
    assert district.networks["generator"] != whole.networks["generator"]
    assert adopted.patch_size == [32, 32, 32]
    same = planned([40, 40, 40])
    assert adopt_networks(same, same) == same


def test_windows_of_inputs_are_adopted_where_there_are_any():
    def windowed(*windows):
        configuration = planned([32, 32, 32])
        plan = replace(configuration.normalization["CT"], upper=300.0 + 100 * len(windows), windows=[*windows])
        return replace(configuration, normalization={**configuration.normalization, "CT": plan})

    none, soft, two = windowed(), windowed([-150.0, 250.0]), windowed([0.0, 100.0], [100.0, 300.0])
    for district in (none, soft, two):
        assert adopt_networks(district, none).normalization == district.normalization
        for whole in (soft, two):
            adopted, own = adopt_networks(district, whole).normalization, district.normalization
            assert adopted == {**own, "CT": replace(own["CT"], windows=whole.normalization["CT"].windows)}


def test_adopted_plans_need_at_most_the_voxels_of_the_whole_body():
    whole, district = planned([32, 64, 64], batch_size=1), planned([64, 64, 64], batch_size=2)
    adopted = adopt_networks(district, whole)
    assert adopted.patch_size == [32, 64, 64]
    assert adopted.batch_size == 1
    room = adopt_networks(planned([16, 16, 16], batch_size=9), planned([24, 24, 24], batch_size=2))
    assert (room.patch_size, room.batch_size) == ([16, 16, 16], 6)


def test_a_discriminator_too_deep_for_the_patch_is_not_adopted():
    whole, district = planned([64, 64, 64]), planned([16, 16, 16])
    shallow = replace(
        whole, networks={**whole.networks, "generator": planned([16, 16, 16], base_features=8).networks["generator"]}
    )
    adopted = adopt_networks(district, shallow)
    assert adopted.patch_size == [16, 16, 16]
    assert adopted.networks["discriminator"] == district.networks["discriminator"] != shallow.networks["discriminator"]


@pytest.mark.parametrize("patch", [[24, 24, 40], [8, 16, 24], [40, 40, 40], [64, 8, 8]])
def test_adopted_plans_train_with_the_weights_of_the_whole_body(patch):
    whole = planned([32, 32, 48])
    adopted = adopt_networks(planned(patch), whole)
    content = Plans("D", "p", "tests", list(FIELDS), {"a": 1}, {"a": adopted}, {}, 0.0).to_json()
    assert Plans.from_json(content).configuration("a") == adopted
    weights = load_model("regression")(whole, FIELDS).state_dict()
    model = load_model("regression")(adopted, FIELDS)
    model.load_state_dict(weights)
    ct = torch.rand(1, 1, *adopted.patch_size)
    assert model.translate(ct).shape == ct.shape
