"""The 18 organs of Table 1 of LDOS in the phantom's maps."""

import numpy as np
import pytest
from scipy.ndimage import label

from ct2pet.phantom.paper_organs import PAPER_LABELS, PAPER_ORGANS, paper_organ_map
from ct2pet.phantom.tissues import LABELS
from ct2pet.volume import Grid, Volume

TABLE_1 = (
    *("spleen", "colon", "urinary_bladder", "sacrum", "vertebrae", "heart", "aorta", "clavicula", "femur", "hip"),
    *("autochthon", "kidney", "brain", "liver", "stomach", "pancreas", "lung", "esophagus"),
)


@pytest.fixture(scope="module")
def paper(organs):
    return paper_organ_map(organs)


def middle(paper, name):
    """x, y, z (mm)."""
    index = np.argwhere(paper.array == PAPER_LABELS[name]).mean(axis=0)
    return (np.array(paper.grid.origin) + index[::-1] * np.array(paper.grid.spacing[::-1])).tolist()


def test_the_organs_are_those_of_the_table_in_its_order():
    assert tuple(PAPER_ORGANS) == TABLE_1
    assert [PAPER_LABELS[name] for name in TABLE_1] == list(range(1, 19))


def test_a_tissue_is_part_of_at_most_one_organ():
    tissues = [tissue for parts in PAPER_ORGANS.values() for tissue in parts]
    assert len(tissues) == len(set(tissues))
    assert set(tissues) <= set(LABELS)


def test_tissue_labels_are_mapped_to_organs_and_others_to_zero():
    grid = Grid((1, 1, 256), (1.0, 1.0, 1.0))
    found = paper_organ_map(Volume(np.arange(256, dtype=np.uint8).reshape(grid.shape), grid, "label"))
    expected = {LABELS[tissue]: PAPER_LABELS[name] for name, parts in PAPER_ORGANS.items() for tissue in parts}
    assert found.array.dtype == np.uint8
    assert found.array.ravel().tolist() == [expected.get(value, 0) for value in range(256)]


def test_every_patient_has_every_organ_even_in_coarse_voxels(coarse_scans):
    for _, case in coarse_scans:
        assert set(np.unique(paper_organ_map(case.organs).array)) == {0, *PAPER_LABELS.values()}


def test_organs_are_filled(paper):
    """The content of the bowel, the marrow and the chambers of the heart leave no hole of another label."""
    for name in ("colon", "heart", "urinary_bladder", "liver", "sacrum"):
        organ = paper.array == PAPER_LABELS[name]
        pieces, count = label(~organ)
        assert count == 1, f"{name} has {count - 1} hole(s), the largest of {np.bincount(pieces.ravel())[2:].max()}"


def test_organs_are_in_one_piece(paper):
    for name in ("aorta", "heart", "esophagus", "sacrum", "lung", "brain", "spleen"):
        _, count = label(paper.array == PAPER_LABELS[name], np.ones((3, 3, 3)))
        assert count == (2 if name == "lung" else 1), name


def test_organs_lie_where_anatomy_has_them(paper):
    heights = [middle(paper, n)[2] for n in ("brain", "clavicula", "heart", "kidney", "sacrum", "urinary_bladder")]
    assert heights == sorted(heights, reverse=True)
    assert middle(paper, "sacrum")[2] < middle(paper, "vertebrae")[2]
    assert middle(paper, "autochthon")[1] > middle(paper, "vertebrae")[1] > middle(paper, "aorta")[1]
    assert middle(paper, "aorta")[0] > 0, "the thoracic aorta descends on the left"
    for name in ("clavicula", "hip", "femur", "autochthon", "sacrum"):
        assert middle(paper, name)[0] == pytest.approx(0, abs=2), f"{name} has two sides"
