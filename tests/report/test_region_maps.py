"""Districts and lesions of a case, and what the viewer does with them in a real browser."""

import re

import numpy as np
import pytest
from browser import opened
from reports import COLD, DISTRICTS, GRID, HOT, align, case_volumes, content_with_regions, region_volumes
from slices import choose_plane, drawn_by, picture, ready, slide
from summaries import synthetic_summary

from ct2pet.report import report, sections
from ct2pet.report.region_maps import LESION, region_map
from ct2pet.report.volumes import viewer_volumes

DISTRICT_LINE, LESION_LINE = [0x35, 0xD0, 0xC0], [0xFF, 0x40, 0xFF]


def test_codes_number_the_districts_and_mark_lesions():
    _, real, _ = case_volumes()
    districts, lesions = region_volumes()
    found = region_map(real, districts, DISTRICTS, lesions)
    assert found.districts == ("upper", "lower")
    expected = np.select([districts.array == 3, districts.array == 7], [1, 2]) + LESION * (lesions.array > 0)
    np.testing.assert_array_equal(found.codes.array, expected)


def test_each_lesion_is_where_the_real_pet_is_hottest_in_it_in_the_order_of_the_evaluation():
    _, real, _ = case_volumes()
    found = region_map(real, None, {}, region_volumes()[1])
    assert found.districts == ()
    places = [np.rint(np.linalg.solve(GRID.affine, [*place, 1.0])[:3]).astype(int)[::-1] for place in found.lesions]
    for place, box in zip(places, (COLD, HOT), strict=True):  # the lower one comes first
        assert real.array[tuple(place)] == real.array[box].max()
        assert all(part.start <= index < part.stop for part, index in zip(box, place))


def test_without_maps_there_are_no_regions_and_an_empty_mask_has_no_lesion():
    _, real, _ = case_volumes()
    assert region_map(real, None, DISTRICTS, None) is None
    lesions = region_volumes()[1]
    assert region_map(real, None, {}, lesions.with_array(0 * lesions.array)).lesions == ()


def test_the_viewer_gets_them_on_its_own_grid():
    case = align(*case_volumes(), content_with_regions().field)
    found = viewer_volumes(
        case, regions=region_map(case_volumes()[1], region_volumes()[0], DISTRICTS, region_volumes()[1])
    )
    assert found.districts == ("upper", "lower")
    for place, box in zip(found.lesions, (COLD, HOT), strict=True):
        assert all(part.start <= index < part.stop for part, index in zip(box, place))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report of two cases with regions and two lesions each; without plots."""
    summary = synthetic_summary(2)
    lesion = {**summary["lesions"]["case_000"][0], "district": "upper"}
    summary["lesions"] = {case: [lesion, lesion] for case in summary["cases"]}
    path = tmp_path_factory.mktemp("regions") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "BOX_METRICS", ())
        patch.setattr(sections, "AGREEMENT_QUANTITIES", ())
        report.write_report(path, summary, {case: content_with_regions(n) for n, case in enumerate(summary["cases"])})
    return path


def crosshair(tab):
    """What the readout says, and the slice of each plane."""
    slices = {}
    for plane in ("axial", "coronal", "sagittal"):
        drawn_by(tab, lambda plane=plane: choose_plane(tab, plane))
        slices[plane] = tab.run("Number(document.querySelector('[name=slice]').value)")
    return slices


def test_a_link_to_a_lesion_shows_its_slices(chromium, path):
    with opened(chromium, path) as tab:
        ready(tab)
        for case, number, box in (("case-0", 2, HOT), ("case-1", 1, COLD), ("case-1", 2, HOT)):
            anchor = f"{case}-lesion-{number}"
            assert tab.page.locator(f".scroll a[href='#{anchor}']").count() == 1  # of the table of all lesions
            drawn_by(tab, lambda anchor=anchor: tab.run("anchor => { location.hash = anchor }", anchor))
            tab.wait(f"document.getElementById('viewer').closest('details').id === '{case}'")
            tab.wait("document.querySelector('#viewer').dataset.state === 'ready'")
            found = crosshair(tab)
            for plane, part in zip(("axial", "coronal", "sagittal"), box):
                assert part.start <= found[plane] < part.stop, (anchor, plane)
        assert tab.said == []


def test_contours_are_drawn_around_districts_and_lesions_and_can_be_left_out(chromium, path):
    with opened(chromium, path) as tab:
        ready(tab)
        drawn_by(tab, lambda: slide(tab, "slice", HOT[1].start))
        shown = picture(tab, "input")
        height = GRID.shape[0]
        border = (shown == DISTRICT_LINE).all(axis=-1)
        assert border[height - 1 - 15, 3:12].all()  # between lower and upper, above slice 14
        lesion = (shown == LESION_LINE).all(axis=-1)
        rows, columns = np.nonzero(lesion)
        assert (height - 1 - HOT[0].stop, height - 1 - HOT[0].start) == (rows.min(), rows.max())
        assert (HOT[2].start - 1, HOT[2].stop - 1) == (columns.min(), columns.max())
        drawn_by(tab, lambda: tab.page.locator("[name=contours]").uncheck())
        assert not (picture(tab, "input") == DISTRICT_LINE).all(axis=-1).any()


def test_three_planes_share_a_crosshair(chromium, path):
    with opened(chromium, path) as tab:
        ready(tab)
        drawn_by(tab, lambda: choose_plane(tab, "three"))
        assert tab.page.locator("[data-panel=real] .frame:visible").count() == 3
        axial = tab.page.locator("[data-panel=real] .frame.axial")
        box = axial.bounding_box()
        y, x = 4, 13
        place = {"x": box["width"] * (x + 0.5) / GRID.shape[2], "y": box["height"] * (y + 0.5) / GRID.shape[1]}
        drawn_by(tab, lambda: axial.click(position=place))
        left = "frame => parseFloat(document.querySelector(`[data-panel=error] .frame.${frame} .vertical`).style.left)"
        assert tab.run(left, "coronal") == pytest.approx(100 * (x + 0.5) / GRID.shape[2])
        assert tab.run(left, "sagittal") == pytest.approx(100 * (y + 0.5) / GRID.shape[1])
        assert "(axial)" in tab.run("document.querySelector('[data-of=slice]').textContent")


def test_the_profile_is_the_uptake_along_the_line_through_the_crosshair(chromium, path):
    """Through the hot spot the real PET has a peak there and the synthetic PET has none."""
    with opened(chromium, path) as tab:
        ready(tab)
        drawn_by(tab, lambda: tab.run("location.hash = 'case-0-lesion-2'"))
        heights = {
            name: [
                float(y)
                for y in re.findall(r"[\d.]+ ([\d.]+)", tab.page.locator(f".profile .{name}").first.get_attribute("d"))
            ]
            for name in ("real", "fake")
        }
        assert len(heights["real"]) == GRID.shape[2]
        hot = range(HOT[2].start, HOT[2].stop)
        assert all(heights["real"][x] < 10 for x in hot)  # 0 is the top of the plot
        assert all(heights["fake"][x] > 90 for x in hot)


def test_the_shown_slices_are_saved_as_a_picture(chromium, path, tmp_path):
    from PIL import Image

    with opened(chromium, path) as tab:
        ready(tab)
        with tab.page.expect_download() as download:
            tab.page.locator("[name=save]").click()
        download.value.save_as(tmp_path / "slices.png")
        assert download.value.suggested_filename == "case_000_slices.png"
        with Image.open(tmp_path / "slices.png") as image:
            assert image.size == (4 * 3 * GRID.shape[2], 3 * GRID.shape[0])
            shown = np.asarray(image.convert("RGB"))[1::3, 1 : 3 * GRID.shape[2] : 3]
        np.testing.assert_array_equal(shown, picture(tab, "input"))
