import numpy as np
import pytest
from fake_packages import install, write_weights
from known_ct import blocks

from ct2pet.districts import segment_ct
from ct2pet.districts.organ_segmenters import make_organ_segmenter, organ_segmenter_names
from ct2pet.errors import PluginError

LABELS = {"background": 0, "Liver": 1, "lung_lower_left": 2, "lung_upper_right": 3, "Spleen": 4}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    install(tmp_path / "packages", "moosez", monkeypatch)
    return write_weights(tmp_path / "weights", "Dataset123_Organs", labels=LABELS)


def test_labels_are_mapped_by_the_names_of_the_model(weights):
    ct, block = blocks((50, 150, 250, 350))
    segmenter = make_organ_segmenter("moose", weights=weights, device="cpu")
    found = segment_ct(segmenter, "case", ct, {"lung": 3, "liver": 1})
    np.testing.assert_array_equal(found.district_map.array, np.array([0, 1, 3, 3, 0])[block])
    assert segmenter.settings() == {"model": "clin_ct_organs"}


def test_an_organ_that_the_model_lacks_is_named_with_those_that_it_has(weights):
    segmenter = make_organ_segmenter("moose", weights=weights, device="cpu")
    with pytest.raises(PluginError, match=r"moosez knows no autochthon; it knows liver, lung_lower_left, .*spleen"):
        segment_ct(segmenter, "case", blocks((50,))[0], {"autochthon": 1})


def test_the_names_of_the_segmenters_are_those_of_their_files():
    assert organ_segmenter_names() == ["moose", "totalsegmentator"]
    with pytest.raises(PluginError, match=r"unknown name 'rules'; organ_segmenters: moose, totalsegmentator"):
        make_organ_segmenter("rules")
