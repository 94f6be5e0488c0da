from dataclasses import asdict

import pytest

from ct2pet.errors import Ct2PetError
from ct2pet.inference.options import PredictionOptions


def test_the_defaults_choose_nothing():
    chosen = {name: value for name, value in asdict(PredictionOptions()).items() if value not in (None, False)}
    assert chosen == {"checkpoint": "checkpoint_final.pth", "grid": "pet", "mirror": True, "num_parts": 1}


def test_an_unknown_grid_is_one_clear_line():
    with pytest.raises(Ct2PetError, match="grid 'mr': must be one of pet, ct"):
        PredictionOptions(grid="mr")
