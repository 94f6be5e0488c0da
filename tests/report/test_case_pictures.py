import base64
import gzip
import re

import pytest
from reports import GRID, case_volumes, content
from summaries import synthetic_summary

from ct2pet.errors import Ct2PetError, ImageError
from ct2pet.imageio import write_volume
from ct2pet.report.case_pictures import card, content_of_files, volumes_block

NASTY = '"><b>'


@pytest.fixture(scope="module")
def shown():
    return content()


def test_files_become_pictures_and_volumes(tmp_path, shown):
    paths = [tmp_path / f"{name}.nii.gz" for name in ("ct", "real", "fake")]
    for path, volume in zip(paths, case_volumes()):
        write_volume(path, volume)
    found = content_of_files(*paths)
    assert found.volumes == shown.volumes
    assert [picture.png for picture in found.pictures] == [picture.png for picture in shown.pictures]
    for missing, name in enumerate(("CT", "real PET", "prediction")):
        given = [None if index == missing else path for index, path in enumerate(paths)]
        with pytest.raises(Ct2PetError, match=f"its {name} is missing"):
            content_of_files(*given)
    paths[1].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"real\.nii\.gz"):
        content_of_files(*paths)


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


def test_the_headline_holds_what_there_is(shown):
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
