"""The augmentation that is planned for the fields of a dataset."""

import pytest
from field_sets import ORGANS, SEX, TWO_INPUTS, WITH_LABELS
from tiny import FIELDS

from ct2pet.dataset import Fields
from ct2pet.planning.augmentation_rules import planned_augmentation


@pytest.mark.parametrize("fields", [FIELDS, WITH_LABELS, Fields((FIELDS["CT"], FIELDS["PET"], SEX))])
def test_sizes_and_values_of_cts_vary(fields):
    planned = planned_augmentation(fields)
    assert planned.scaling_probability > 0
    assert planned.scaling_range[0] < 1 < planned.scaling_range[1]
    assert planned.ct_values is not None


@pytest.mark.parametrize("fields", [TWO_INPUTS, Fields((FIELDS["PET"], SEX)), Fields((FIELDS["PET"], ORGANS, SEX))])
def test_nothing_is_scaled_where_a_pet_is_an_input_or_nothing_is(fields):
    """An input PET has noise that interpolation would smooth, and values that are those of the target; without an
    input, the size of a lesion can be a property of its class."""
    planned = planned_augmentation(fields)
    assert (planned.scaling_range, planned.scaling_probability, planned.ct_values) == ([1.0, 1.0], 0.0, None)
