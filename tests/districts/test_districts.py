import pytest

from ct2pet.districts import Segmenter, load_segmenter, segmenter_names
from ct2pet.errors import PluginError


def test_every_segmenter_can_be_loaded_by_name():
    assert "files" in segmenter_names()
    for name in segmenter_names():
        assert issubclass(load_segmenter(name), Segmenter)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(PluginError, match=r"'fils'.*files"):
        load_segmenter("fils")


def test_a_segmenter_without_segment_cannot_be_made():
    class Incomplete(Segmenter):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Incomplete()
