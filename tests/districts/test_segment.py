import numpy as np
import pytest
from raw_cases import permuted
from stub_segmenter import Halves

from ct2pet.districts import Segmentation, check_districts, segment_ct, segmenter_labels
from ct2pet.errors import DatasetError, GeometryError, PluginError
from ct2pet.volume import Grid, Volume

CT = Volume(np.full((6, 5, 4), -1000, np.int16), Grid((6, 5, 4), (3.0, 2.0, 1.0), (5.0, 6.0, 7.0)), "HU")
DISTRICTS = {"low": 7, "high": 2}


def giving(labels, grid=CT.grid):
    """A segmenter that gives this map."""

    class Giving(Halves):
        def segment(self, case, ct_hu, districts):
            return Segmentation(Volume(labels, grid), {})

    return Giving()


def test_a_segmenter_gets_the_canonical_order_and_the_map_has_the_cts():
    upright = segment_ct(Halves(), "a", CT, DISTRICTS).district_map
    assert (upright.array[:3] == 7).all()
    assert (upright.array[3:] == 2).all()
    turned = segment_ct(Halves(), "a", permuted(CT), DISTRICTS).district_map
    assert turned.grid == permuted(CT).grid
    assert turned.array.shape != CT.array.shape
    np.testing.assert_array_equal(turned.to_canonical().array, upright.array)


@pytest.mark.parametrize(
    ("segmenter", "error", "said"),
    [
        (giving(np.zeros((6, 5, 4), np.uint8)), DatasetError, "found none of low, high"),
        (giving(np.full((6, 5, 4), 9, np.uint8)), PluginError, r"wrong map: the label\(s\) 9"),
        (giving(np.ones((1, 5, 4), np.uint8), Grid((1, 5, 4), (3.0, 2.0, 1.0))), GeometryError, "another grid"),
    ],
)
def test_a_map_that_breaks_the_contract_is_refused(segmenter, error, said):
    with pytest.raises(error, match=said):
        segment_ct(segmenter, "a", CT, DISTRICTS)


def test_districts_that_the_segmenter_does_not_know_are_named():
    with pytest.raises(DatasetError, match=r"halves finds low, high, not middle; give maps of them yourself"):
        check_districts(Halves(), {"low": 1, "middle": 2})
    check_districts(Halves(), {"high": 4})


def test_a_ct_of_no_dataset_gets_the_segmenters_own_districts():
    assert segmenter_labels(Halves()) == {"low": 1, "high": 2}

    class Any(Halves):
        districts = None

    assert segmenter_labels(Any()) == {"head": 1, "trunk": 2, "arms": 3, "legs": 4}
