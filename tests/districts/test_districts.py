import pytest

import ct2pet.districts
from ct2pet.districts import Segmenter, SegmenterIdentity, load_segmenter, make_segmenter, segmenter_names
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


class Optional(Segmenter):
    name, version, options = "optional", "1", ("weights", "device")

    def __init__(self, **given):
        self.given = given

    settings = segment = None


class Plain(Optional):
    options = ()


def test_a_segmenter_gets_what_the_user_gave_and_refuses_what_it_cannot_use(monkeypatch):
    monkeypatch.setattr(ct2pet.districts, "load_segmenter", {"optional": Optional, "plain": Plain}.__getitem__)
    assert make_segmenter("optional", device="cpu", weights="w", folder=None).given == {"weights": "w", "device": "cpu"}
    assert make_segmenter("optional").given == {}
    assert make_segmenter("plain", device="cuda").given == {}
    with pytest.raises(PluginError, match="the segmenter plain takes no weights"):
        make_segmenter("plain", weights="w")


def test_the_identity_of_a_segmenter_equals_its_record_read_from_json(monkeypatch):
    monkeypatch.setattr(Optional, "settings", lambda self: {"spacing": (4, 4.0)})
    assert Optional().identity("a") == SegmenterIdentity("optional", "1", {"spacing": [4, 4.0]})
