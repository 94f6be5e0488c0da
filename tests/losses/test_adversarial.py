import math

import pytest
import torch

from ct2pet.errors import PlansError
from ct2pet.losses import AdversarialLoss


@pytest.mark.parametrize(
    ("kind", "real", "cost"),
    [
        ("lsgan", True, (0.25 + 4.0) / 2),  # (0.5-1)², (3-1)²
        ("lsgan", False, (0.25 + 9.0) / 2),
        ("bce", True, (math.log(1 + math.exp(-0.5)) + math.log(1 + math.exp(-3))) / 2),
        ("bce", False, (math.log(1 + math.exp(0.5)) + math.log(1 + math.exp(3))) / 2),
    ],
)
def test_known_answers(kind, real, cost):
    assert float(AdversarialLoss(kind)(torch.tensor([0.5, 3.0]), real)) == pytest.approx(cost, rel=1e-6)


def test_half_precision_scores_are_costed_in_float32():
    assert AdversarialLoss("bce")(torch.tensor([1.0], dtype=torch.bfloat16), True).dtype == torch.float32


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(PlansError, match="lsgan and bce"):
        AdversarialLoss("hinge")
