import numpy as np
import pytest
from field_sets import ORGANS, SEX, WITH_LABELS
from tiny import CT_WINDOW, FIELDS, SUV_WINDOW, tiny_configuration
from tiny_models import tiny_model

from ct2pet.dataset import Fields
from ct2pet.models.base.staged import draft_configuration, draft_fields
from ct2pet.preprocessing.normalization import as_input, denormalize, from_input


def test_the_inputs_of_a_later_stage_are_the_predicted_images_alone():
    """Label maps are not passed on; targets and conditions stay."""
    fields = draft_fields(Fields((*FIELDS, ORGANS, SEX)))
    assert [(one.name, one.kind) for one in fields.inputs] == [("PET_draft", "pet")]
    assert [one.name for one in fields.targets] == ["PET", "organ_labels"]
    assert [one.name for one in fields.conditions] == ["sex"]


def test_drafts_are_in_the_range_of_inputs_and_keep_their_unit():
    """A normalised prediction as a later stage sees it, denormalised with that stage's window, is the same SUV."""
    windows = draft_configuration(tiny_configuration(), WITH_LABELS).normalization
    assert windows.keys() == {"CT", "PET", "PET_draft"}
    assert (windows["CT"], windows["PET"]) == (CT_WINDOW, SUV_WINDOW)
    pet = np.linspace(0.0, 1.2, 7)
    drafts = as_input(pet, windows["PET"])
    assert (drafts[0], as_input(1.0, windows["PET"])) == (-1.0, 1.0)
    np.testing.assert_allclose(denormalize(drafts, windows["PET_draft"]), denormalize(pet, windows["PET"]))
    np.testing.assert_allclose(from_input(drafts, windows["PET"]), pet)


@pytest.mark.parametrize("network", ["generator", "registration", "discriminator"])
def test_of_each_stage_the_generator_alone_is_used_for_inference(network):
    model = tiny_model("regc2p")
    weights = [name for name in model.state_dict() if name.split(".")[2] == network]
    assert len(weights) > 0
    assert all(model.used_for_inference(name) == (network == "generator") for name in weights)
