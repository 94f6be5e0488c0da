import pytest

from ct2pet.districts.foreign.organ_names import organ_mapping, parts_of
from ct2pet.errors import PluginError
from ct2pet.phantom.paper_organs import PAPER_LABELS

NAMES = ["liver", "kidney_left", "kidney_right", "kidney_cyst_left", "lung_upper_lobe_left", "lung_lower_lobe_right"]


@pytest.mark.parametrize(
    ("organ", "parts"),
    [
        ("liver", ["liver"]),
        ("kidney", ["kidney_left", "kidney_right"]),  # its cysts are no kidney
        ("kidney_left", ["kidney_left"]),
        ("lung", ["lung_upper_lobe_left", "lung_lower_lobe_right"]),
        ("lun", []),
    ],
)
def test_an_organ_is_its_own_label_or_its_sides_or_its_parts(organ, parts):
    assert parts_of(organ, NAMES) == parts


def test_labels_of_other_organs_become_background():
    labels = {name: number for number, name in enumerate(NAMES, start=1)}
    assert organ_mapping({"kidney": 7, "liver": 2}, labels, "X") == {1: 2, 2: 7, 3: 7, 4: 0, 5: 0, 6: 0}


def test_an_organ_that_the_segmenter_does_not_know_is_an_error():
    with pytest.raises(PluginError, match=r"^X knows no heart; it knows liver, lung_left$"):
        organ_mapping({"heart": 1}, {"liver": 1, "lung_left": 2}, "X")


def test_two_organs_cannot_share_a_label():
    with pytest.raises(PluginError, match=r"^kidney_left of X belongs to two organs of dataset.json, kidney_left is"):
        organ_mapping({"kidney": 1, "kidney_left": 2}, {"kidney_left": 1, "kidney_right": 2}, "X")


def test_totalsegmentator_has_all_organs_of_the_paper():
    class_map = pytest.importorskip("totalsegmentator.map_to_binary").class_map
    labels = {name: number for number, name in class_map["total"].items()}
    mapping = organ_mapping(PAPER_LABELS, labels, "TotalSegmentator")
    assert set(mapping.values()) == {0, *PAPER_LABELS.values()}
    assert {name for name, number in labels.items() if mapping[number] == PAPER_LABELS["lung"]} == {
        *("lung_upper_lobe_left", "lung_lower_lobe_left"),
        *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    }
    assert sum(mapping[number] == PAPER_LABELS["vertebrae"] for number in labels.values()) == 25  # C1 to L5, S1
