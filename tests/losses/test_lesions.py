import torch
from torch.nn import functional

from ct2pet.losses import lesion_cross_entropy


def test_voxels_of_lesions_count_more_and_those_outside_the_mask_not_at_all():
    generator = torch.Generator().manual_seed(0)
    logit = torch.randn(2, 1, 4, 4, 4, generator=generator)
    lesion, mask = (torch.rand(logit.shape, generator=generator) < share for share in (0.3, 0.5))
    costs = []
    for one, is_lesion, inside in zip(logit, lesion, mask):
        cost = functional.binary_cross_entropy(torch.sigmoid(one), is_lesion.float(), reduction="none")
        costs.append(torch.where(is_lesion, 5 * cost, cost)[inside].mean())
    expected = torch.stack(costs).mean()
    torch.testing.assert_close(lesion_cross_entropy(logit, lesion, mask, 5.0), expected)


def test_a_sample_outside_the_mask_costs_nothing():
    logit, nothing = torch.randn(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2, dtype=torch.bool)
    assert lesion_cross_entropy(logit, ~nothing, nothing, 5.0) == 0
