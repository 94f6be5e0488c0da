import base64
import gzip
import io
import re

import numpy as np
import pytest
from label_maps import LABELS, SHAPE, SPACING, label_pair
from PIL import Image
from reports import CT, GRID, case_volumes, content
from summaries import synthetic_summary

from ct2pet.dataset import Field
from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.report.case_pictures import CaseFiles, LabelFiles, card, content_of_files, volumes_block
from ct2pet.report.label_contours import cut, label_colours, richest_slice
from ct2pet.volume import Grid, Volume

NASTY = '"><b>'


@pytest.fixture(scope="module")
def shown():
    return content()


def test_files_become_pictures_and_volumes(tmp_path, shown):
    paths = [tmp_path / f"{name}.nii.gz" for name in ("ct", "real", "fake")]
    for path, volume in zip(paths, case_volumes()):
        write_volume(path, volume)
    found = content_of_files(CaseFiles(paths[0], CT, True, *paths[1:]))
    assert found.volumes == shown.volumes
    assert [picture.png for picture in found.pictures] == [picture.png for picture in shown.pictures]
    for missing, name in enumerate(("CT", "real PET", "prediction")):
        image, *pets = [None if index == missing else path for index, path in enumerate(paths)]
        with pytest.raises(Ct2PetError, match=f"its {name} is missing"):
            content_of_files(CaseFiles(image, CT, True, *pets))
    paths[1].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"real\.nii\.gz"):
        content_of_files(CaseFiles(paths[0], CT, True, *paths[1:]))


def test_labels_become_slices_with_contours(tmp_path):
    """Without a PET there is nothing else to show."""
    organs = Field("organs", "target", "labels", "label", "organs", labels=LABELS)
    maps = [Volume(array, Grid(SHAPE, SPACING), "label") for array in label_pair()]
    image = Volume(np.full(SHAPE, 40.0, np.float32), Grid(SHAPE, SPACING), "HU")
    paths = [tmp_path / f"{name}.nii.gz" for name in ("predicted", "true", "ct")]
    for path, volume in zip(paths, (*maps, image)):
        write_volume(path, volume)
    labels = LabelFiles(organs, *paths[:2])
    found = content_of_files(CaseFiles(paths[2], CT, False, labels=(labels,)))
    assert (found.pictures, found.volumes) == ([], None)
    assert list(found.contours) == ["organs, coronal", "organs, axial"]
    for view, picture in zip(("coronal", "axial"), found.contours.values()):
        shown = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
        index = richest_slice(maps[1].array, LABELS, view)
        there = {*np.unique([cut(label_map.array, view, index) for label_map in maps])}
        for name, colour in label_colours(LABELS).items():
            wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
            pixels = (np.abs(shown - wanted).max(axis=-1) < 40).sum()
            assert (pixels > 5) == (LABELS[name] in there)
    html = card("a", "c", {"organ:liver": {"dice": 0.5}, "organ:aorta": {"dice": 0.9}}, found)
    assert html.count("<img") == 2
    assert "data-volumes" not in html
    assert "<span>mean Dice 70.00%</span>" in html
    for missing, name in (
        (LabelFiles(organs, None, paths[1]), "prediction of the organs"),
        (LabelFiles(organs, paths[0], None), "reference organs"),
    ):
        with pytest.raises(Ct2PetError, match=f"its {name} is missing"):
            content_of_files(CaseFiles(paths[2], CT, False, labels=(missing,)))


def test_a_card_shows_eight_pictures_with_colour_bars_to_scale(shown):
    html = card(NASTY, "case-3", synthetic_summary(2)["cases"]["case_000"], shown)
    assert NASTY not in html
    assert html.count("<img") == 8
    assert html.count('class="bar"') == 8
    alternatives = re.findall('alt="(.*?)"', html)
    assert alternatives[0] == "CT of &quot;&gt;&lt;b&gt;, coronal maximum intensity projection"
    assert len(set(alternatives)) == 8
    ratios = [float(ratio) for ratio in re.findall(r"<figure style=\"--ratio:([\d.]+)\"", html)]
    z, y, x = GRID.shape
    assert ratios == pytest.approx([x / z] * 4 + [y / z] * 4, abs=0.03)
    assert 'data-volumes="case-3-volumes"' in html


def test_only_a_card_with_a_badge_is_open(shown):
    assert re.search('<details class="case" id="c"><summary>', card("a", "c", {}, shown))
    html = card("a", "c", {}, shown, "highest error")
    assert '<details class="case" id="c" open>' in html
    assert "highest error" in html
    assert "Its numbers" not in html


def test_the_headline_of_a_case_shows_the_metrics_that_exist(shown):
    regions = {"whole_body": {"mae": 0.25, "ssim": 0.9}, "lesions": {"suv_mean_bias": -20.0}}
    html = card("a", "c", regions, shown)
    for text in ("<span>MAE [SUV] 0.250</span>", "<span>SSIM 0.900</span>", "<span>lesions −20.0%</span>"):
        assert text in html
    assert "<span>lesions" not in card(
        "a", "c", {"whole_body": {"mae": 0.25}, "lesions": {"suv_mean_bias": None}}, shown
    )


def test_volumes_travel_as_text(shown):
    block = volumes_block("case-3", shown.volumes)
    text = re.fullmatch(r'<script type="text/plain" id="case-3-volumes" [^>]*>([A-Za-z0-9+/=]+)</script>', block)[1]
    assert base64.b64decode(text) == shown.volumes.data
    assert 'data-shape="30 12 20" data-voxel="4.0000"' in block
    assert len(gzip.decompress(shown.volumes.data)) == 3 * 30 * 12 * 20
