import numpy as np
import pytest

from ct2pet.districts import Segmentation, SegmenterIdentity
from ct2pet.districts.records import record_of, write_map
from ct2pet.districts.segmenters.files import FilesSegmenter
from ct2pet.errors import DatasetError, GeometryError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.volume import Grid, Volume

DISTRICTS = {"head": 1, "trunk": 2}
CT = Volume(np.zeros((10, 10, 10), np.int16), Grid((10, 10, 10), (3.0, 3.0, 3.0)), "HU")
MAP = Volume(np.repeat([0, 1, 2], 25).astype(np.uint8).reshape(3, 5, 5), Grid((3, 5, 5), (9.0, 6.0, 6.0)), "label")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha", ".mhd"])
def test_the_map_of_the_case_is_returned_on_the_grid_of_the_ct(tmp_path, suffix):
    write_volume(tmp_path / f"a{suffix}", MAP)
    write_volume(tmp_path / f"ab{suffix}", MAP.with_array(MAP.array * 0 + 1))
    found = FilesSegmenter(tmp_path).segment("a", CT, DISTRICTS)
    expected = np.zeros(CT.grid.shape, np.uint8)  # its slices lie at 0, 3, ... 27 mm, the map's at 0, 9, 18 mm
    expected[:, :9, :9] = np.array([0, 0, 1, 1, 1, 2, 2, 2, 0, 0])[:, None, None]
    np.testing.assert_array_equal(found.district_map.array, expected)
    assert found.district_map.grid.matches(CT.grid)
    assert found.district_map.unit == "label"
    assert not found.confidence


def test_a_map_on_the_grid_of_the_ct_is_not_touched(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, CT.grid.shape).astype(np.float32)
    write_volume(tmp_path / "a.nii.gz", Volume(labels, CT.grid, "label"))
    found = FilesSegmenter(tmp_path).segment("a", CT, DISTRICTS)
    np.testing.assert_array_equal(found.district_map.array, labels)
    assert found.district_map.array.dtype == np.uint8
    assert found.warnings == ()


@pytest.mark.parametrize(("hu", "doubts"), [(-1000, 1), (-800, 0), (40, 0)])
def test_a_map_in_the_air_is_doubted(tmp_path, hu, doubts):
    write_volume(tmp_path / "a.nii.gz", CT.with_array(np.ones(CT.grid.shape, np.uint8)))
    found = FilesSegmenter(tmp_path).segment("a", CT.with_array(np.full(CT.grid.shape, hu)), DISTRICTS)
    assert len(found.warnings) == doubts
    assert all("100% of the map lies in air" in warning for warning in found.warnings)


def test_missing_folders_and_maps_are_named(tmp_path):
    with pytest.raises(DatasetError, match="gone: no such folder"):
        FilesSegmenter(tmp_path / "gone")
    with pytest.raises(DatasetError, match=r"no district map a\.nii\.gz"):
        FilesSegmenter(tmp_path).segment("a", CT, DISTRICTS)


def test_two_maps_of_a_case_are_refused(tmp_path):
    for suffix in (".nii.gz", ".mha"):
        write_volume(tmp_path / f"a{suffix}", MAP)
    with pytest.raises(DatasetError, match=r"several.*a\.nii\.gz, a\.mha"):
        FilesSegmenter(tmp_path).segment("a", CT, DISTRICTS)


@pytest.mark.parametrize(
    ("factor", "reason"),
    [(2, r"label\(s\) 4 are not .*head 1, trunk 2"), (0, "no voxel"), (0.5, "not labels"), (-1, "not labels")],
)
def test_maps_with_other_values_are_refused(tmp_path, factor, reason):
    write_volume(tmp_path / "a.nii.gz", MAP.with_array(MAP.array.astype(np.float32) * factor))
    with pytest.raises(ImageError, match=rf"a\.nii\.gz: .*{reason}"):
        FilesSegmenter(tmp_path).segment("a", CT, DISTRICTS)


def test_a_map_of_another_place_is_refused(tmp_path):
    write_volume(tmp_path / "a.nii.gz", Volume(MAP.array, Grid(MAP.grid.shape, MAP.grid.spacing, (500.0, 0.0, 0.0))))
    with pytest.raises(GeometryError, match=r"a\.nii\.gz: .*0%"):
        FilesSegmenter(tmp_path).segment("a", CT, DISTRICTS)


def test_maps_that_a_segmenter_made_keep_its_confidence_and_its_name(tmp_path):
    rules, labels = SegmenterIdentity("rules", "1", {}), np.ones(CT.grid.shape, np.uint8)
    made = Segmentation(CT.with_array(labels, "label"), {"head": 0.4}, ("odd",))
    write_map(tmp_path / "a.nii.gz", made.district_map, record_of(made, rules, DISTRICTS))
    files = FilesSegmenter(tmp_path)
    found = files.segment("a", CT, DISTRICTS)
    assert (dict(found.confidence), found.warnings) == ({"head": 0.4}, ("odd",))
    assert files.identity("a") == rules
    assert files.has("a")
    assert not files.has("b")
