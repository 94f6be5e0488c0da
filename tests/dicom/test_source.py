"""The CT that a PET is derived from."""

import numpy as np
import pytest
from dicom_files import CT_GRID, Study, ct_series, enhanced_ct, localiser, pet_series, write
from dicom_pets import ORIENTATIONS, source_of

from ct2pet.dicom.source import read_source
from ct2pet.errors import ImageError


def test_the_series_is_found_among_others(tmp_path):
    datasets = ct_series()
    write(localiser() + pet_series(), tmp_path / "others")
    source = source_of(tmp_path, datasets)
    assert source.header.SeriesInstanceUID == datasets[0].SeriesInstanceUID
    assert "PixelData" not in source.header
    assert source.stack.grid.matches(CT_GRID)


def test_several_series_are_refused_in_one_line(tmp_path):
    write(ct_series() + ct_series(Study("PAT2"), number=5), tmp_path)
    with pytest.raises(ImageError, match="2 CT series"):
        read_source(tmp_path)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_images_are_found_by_place(tmp_path, name):
    datasets = ct_series(grid=ORIENTATIONS[name])
    source = source_of(tmp_path, datasets[::-1])
    along = source.position_along
    np.testing.assert_allclose(np.diff(along), ORIENTATIONS[name].spacing[0], atol=1e-4)
    images = source.images_between(along[2] - 0.1, along[4] + 0.1)
    assert images == [(datasets[index].SOPInstanceUID, None) for index in (2, 3, 4)]
    assert source.images_between(along[-1] + 50, along[-1] + 51) == [(datasets[-1].SOPInstanceUID, None)]


def test_frames_of_an_enhanced_object_are_counted_from_one(tmp_path):
    order = [*range(CT_GRID.shape[0])][::-1]
    (ct,) = enhanced_ct(order=order)
    source = source_of(tmp_path, [ct])
    along = source.position_along
    assert source.images_between(along[0], along[1]) == [(ct.SOPInstanceUID, 12), (ct.SOPInstanceUID, 11)]
