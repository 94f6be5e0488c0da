"""The slice viewer: its settings, and what it draws in a real browser."""

import json
import re

import numpy as np
import pytest
from browser import NASTY, opened
from reports import COLD_SUV, CT, GRID, HOT, HOT_SUV, LOW_DOSE, aligned_case, low_dose_content, low_dose_volumes
from slices import changed, drawn_by, picture, pictures, ready, slice_now, slide
from summaries import synthetic_summary

from ct2pet.report import report, sections
from ct2pet.report.colours import hex_table
from ct2pet.report.projections import align
from ct2pet.report.viewer import PET_COLOURS, viewer
from ct2pet.report.volumes import CT_SCALE, PET_SCALE


def test_the_settings_are_those_of_the_volumes():
    (text,) = re.findall('<script type="application/json" id="viewer-settings">(.*?)</script>', viewer(CT))
    settings = json.loads(text)
    assert settings["input"] == {"title": "CT", "kind": "ct", "unit": "HU", "values": CT_SCALE.table()}
    assert settings["pet"] == PET_SCALE.table()
    assert settings["colours"]["inferno"] == hex_table("inferno")
    assert settings["colours"]["error"] == hex_table("RdBu_r")
    assert (
        {choice["map"] for choice in settings["petColours"]} == set(PET_COLOURS) == {*settings["colours"]} - {"error"}
    )


def test_every_control_has_a_label():
    html = viewer(CT)
    for control in re.findall(r"<(?:input|select)[^>]*>", html):
        before = html[: html.index(control)]
        assert before.rindex("<label") > (before.rindex("</label>") if "</label>" in before else -1), control


def test_volumes_come_out_as_they_went_in(tab):
    codes = tab.run(
        """async () => {
          const volumes = await decodeVolumes(document.querySelector("[data-shape]"));
          return {shape: volumes.shape, voxel: volumes.voxel, input: [...volumes.input], real: [...volumes.real],
                  fake: [...volumes.fake]};
        }"""
    )
    case = aligned_case(0)
    assert (codes["shape"], codes["voxel"]) == (list(GRID.shape), 4.0)
    for name, scale in (("input", CT_SCALE), ("real", PET_SCALE), ("fake", PET_SCALE)):
        array = getattr(case, "image" if name == "input" else name).array
        np.testing.assert_array_equal(codes[name], scale.encode(array).ravel())


@pytest.mark.parametrize(
    ("key", "rows", "columns"),
    [("a", "y", "x"), ("c", "up", "x"), ("s", "up", "y")],
    ids=["axial", "coronal", "sagittal"],
)
def test_every_plane_shows_the_body_in_its_orientation(tab, key, rows, columns):
    """The hot spot is where it should be: the head up, in front left in a sagittal slice, the patient's left right."""
    spot = [(part.start + part.stop - 1) // 2 for part in HOT]
    tab.page.locator(".slices").focus()
    if key != "c":
        drawn_by(tab, lambda: tab.page.keyboard.press(key))
    slide(tab, "fusion", 100)
    drawn_by(tab, lambda: slide(tab, "colours", "gray"))
    drawn_by(tab, lambda: slide(tab, "slice", spot["acs".index(key)]))
    shown = picture(tab, "real")
    size = dict(zip("zyx", GRID.shape))
    assert shown.shape[:2] == (size["y" if rows == "y" else "z"], size[columns])
    hot = np.argwhere(shown[..., 0] > 250)
    z, y, x = (np.arange(part.start, part.stop) for part in HOT)
    across = x if columns == "x" else y
    down = y if rows == "y" else size["z"] - 1 - z[::-1]
    np.testing.assert_array_equal(hot, [(row, column) for row in down for column in across])
    assert (picture(tab, "fake")[..., 0] < 100).all()
    red, blue = (picture(tab, "error")[down[0], across[0], channel].astype(int) for channel in (0, 2))
    assert blue > red  # the synthetic PET is too low there


def test_scrolling_changes_the_pictures(tab):
    start, before = slice_now(tab), pictures(tab)
    slices = tab.page.locator(".slices")
    slices.focus()
    for key, expected in (("ArrowUp", start + 1), ("ArrowDown", start), ("Home", 0), ("End", 11), ("PageDown", 1)):
        drawn_by(tab, lambda key=key: tab.page.keyboard.press(key))
        assert slice_now(tab) == expected
    assert changed(before, pictures(tab)) == {"input", "real", "fake", "error"}
    drawn_by(tab, lambda: slide(tab, "slice", start))
    assert changed(before, pictures(tab)) == set()
    slices.hover()
    drawn_by(tab, lambda: tab.page.mouse.wheel(0, -100))
    assert slice_now(tab) == start + 1


def test_the_wheel_scrolls_the_page_until_the_viewer_is_chosen(tab):
    start, before = slice_now(tab), tab.run("scrollY")
    tab.page.locator("[data-panel=input] canvas:visible").hover()
    tab.page.mouse.wheel(0, -300)
    tab.wait(f"scrollY !== {before}")
    assert slice_now(tab) == start


@pytest.mark.parametrize(
    ("name", "value", "panels"),
    [
        ("fusion", 90, {"real", "fake"}),
        ("suv", 3, {"real", "fake"}),
        ("colours", "gray_r", {"real", "fake"}),
        ("error", 0.5, {"error"}),
        ("level", -200, {"input", "real", "fake"}),
        ("width", 2000, {"input", "real", "fake"}),
        ("preset", "-600 1500", {"input", "real", "fake"}),
    ],
)
def test_each_slider_changes_only_its_own_setting(tab, name, value, panels):
    before = pictures(tab)
    drawn_by(tab, lambda: slide(tab, name, value))
    assert changed(before, pictures(tab)) == panels


def test_no_fusion_is_the_ct_and_full_fusion_is_the_pet(tab):
    drawn_by(tab, lambda: slide(tab, "fusion", 0))
    shown = pictures(tab)
    np.testing.assert_array_equal(shown["real"], shown["input"])
    drawn_by(tab, lambda: slide(tab, "fusion", 100))
    full = picture(tab, "real")
    drawn_by(tab, lambda: slide(tab, "level", -500))
    np.testing.assert_array_equal(picture(tab, "real"), full)


def test_a_window_is_linear_between_its_ends(tab):
    """Water of 40 HU and bone of 900 HU in windows whose grey values are worked out by hand."""
    drawn_by(tab, lambda: slide(tab, "slice", 7))
    for level, width, water in ((40, 400, 128), (140, 400, 64), (-100, 200, 255)):
        slide(tab, "level", level)
        drawn_by(tab, lambda width=width: slide(tab, "width", width))
        shown = picture(tab, "input")
        assert shown[15, 5] == pytest.approx([water] * 3, abs=3)
        assert shown[15, 9].tolist() == [255] * 3
        assert shown[0, 0].tolist() == [0] * 3
    assert tab.run("document.querySelector('[name=preset]').value") == ""


def test_a_click_moves_the_crosshair_and_shows_the_values_there(tab):
    box = tab.page.locator("[data-panel=input] canvas:visible").bounding_box()
    z, y, x = ((part.start + part.stop) // 2 for part in HOT)
    drawn_by(tab, lambda: slide(tab, "slice", y))
    place = {"x": box["width"] * (x + 0.5) / GRID.shape[2], "y": box["height"] * (1 - (z + 0.5) / GRID.shape[0])}
    drawn_by(tab, lambda: tab.page.locator("[data-panel=input] canvas:visible").click(position=place))
    hu, real, fake = re.findall(r"[\d.]+(?= (?:HU|SUV,))", tab.run("document.querySelector('.readout').textContent"))
    assert float(hu) == pytest.approx(40, abs=3)
    assert float(real) == pytest.approx(HOT_SUV, abs=0.3)
    assert COLD_SUV - 0.1 <= float(fake) <= COLD_SUV + 0.5
    cross = tab.page.locator("[data-panel=error] .frame.coronal .cross.vertical").bounding_box()
    error = tab.page.locator("[data-panel=error] canvas:visible").bounding_box()
    assert (cross["x"] - error["x"]) / error["width"] == pytest.approx((x + 0.5) / GRID.shape[2], abs=0.02)
    drawn_by(tab, lambda: tab.page.keyboard.press("a"))  # the click has chosen the viewer
    assert slice_now(tab) == z


def test_another_case_takes_the_viewer_and_keeps_the_windows(tab):
    def shown():
        return tab.run("document.querySelector('#viewer').closest('details').querySelector('strong').textContent")

    drawn_by(tab, lambda: slide(tab, "suv", 4))
    before, first = pictures(tab), shown()
    button = tab.page.locator("button[data-volumes]:visible")
    assert button.count() == 1
    drawn_by(tab, button.click)
    assert changed(before, pictures(tab)) == {"real", "fake", "error"}  # their bones are the same
    assert {first, shown()} == {NASTY, "case_002"}
    assert tab.run("document.querySelector('[name=suv]').value") == "4"
    assert tab.page.locator("button[data-volumes]:visible").count() == 1


def test_a_case_that_unpacks_late_does_not_replace_the_one_that_was_opened_after_it(tab):
    tab.run(
        """() => {
          const unpack = decodeVolumes;
          window.decodeVolumes = async (element) => {
            const volumes = await unpack(element);
            if (!window.held) await new Promise((resolve) => (window.held = resolve));
            return volumes;
          };
        }"""
    )
    first = picture(tab, "real")
    button = tab.page.locator("button[data-volumes]:visible")
    button.click()
    tab.wait("!!window.held")
    drawn_by(tab, button.click)  # back to the first case
    tab.run("async () => { held(); await new Promise((resolve) => setTimeout(resolve)); }")
    drawn_by(tab, lambda: slide(tab, "error", 1))
    np.testing.assert_array_equal(picture(tab, "real"), first)


def test_damaged_volumes_are_reported_without_an_exception(chromium, path, tmp_path):
    text = path.read_text(encoding="utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(re.sub(r'(data-voxel="[\d.]+">).{40}', r"\1" + "A" * 40, text), encoding="utf-8")
    with opened(chromium, broken) as tab:
        tab.page.locator("details.case").first.scroll_into_view_if_needed()
        tab.wait("document.querySelector('#viewer').dataset.state === 'failed'")
        assert "cannot be shown" in tab.run("document.querySelector('.readout').textContent")
        assert tab.said == []


@pytest.fixture(scope="module")
def low_dose_path(tmp_path_factory):
    """A report of one case whose input is a low-dose PET; without plots."""
    path = tmp_path_factory.mktemp("low dose") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "BOX_METRICS", ())
        patch.setattr(sections, "AGREEMENT_QUANTITIES", ())
        report.write_report(
            path, synthetic_summary(2), {"case_000": low_dose_content(), "case_001": low_dose_content()}
        )
    return path


def test_an_input_that_is_a_pet_has_the_window_unit_and_name_of_one(chromium, low_dose_path):
    with opened(chromium, low_dose_path) as tab:
        ready(tab)
        captions = tab.page.locator("[data-panel] figcaption").all_text_contents()
        assert captions == ["low dose PET", "Real PET", "Synthetic PET", "Synthetic − real"]
        for name in ("fusion", "level", "width", "preset"):
            assert not tab.page.locator(f"[name={name}]").is_visible()
        for name, value in (("suv", 10), ("colours", "gray")):
            slide(tab, name, value)
        drawn_by(tab, lambda: slide(tab, "slice", HOT[1].start))
        case = align(*low_dose_volumes(), LOW_DOSE)
        for panel, volume in (("input", case.image), ("real", case.real), ("fake", case.fake)):
            expected = 255 * np.clip(volume.array[::-1, HOT[1].start] / 10, 0, 1)
            np.testing.assert_allclose(picture(tab, panel)[..., 0], expected, atol=8)  # above 5 SUV: steps of 0.5 SUV
        readout = tab.run("document.querySelector('.readout').textContent")
        assert re.match(r"At the crosshair: low dose PET [\d.]+ SUV, real [\d.]+ SUV", readout)
        assert tab.said == []
