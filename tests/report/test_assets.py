"""The page in a real browser: does it do what its controls say?"""

import re

import numpy as np
import pytest
from browser import browser, opened
from reports import COLD_SUV, GRID, HOT, HOT_SUV, aligned_case, content
from summaries import synthetic_summary

from ct2pet.report import report, sections
from ct2pet.report.assets import SCRIPTS, STYLES, asset, script, style
from ct2pet.report.volumes import CT_SCALE, PET_SCALE

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
NASTY = "</script><b>case"
PICTURE = """panel => {
  const canvas = document.querySelector(`[data-panel=${panel}] canvas`);
  const {width, height} = canvas;
  const copy = Object.assign(document.createElement("canvas"), {width, height});
  const context = copy.getContext("2d", {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
  return {width, height, data: [...context.getImageData(0, 0, width, height).data]};
}"""


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report of five cases, two of them with pictures. Of the plots the training curves stand for all."""
    summary = synthetic_summary(5)
    for cases in (summary["cases"], summary["lesions"], *summary["baseline_cases"].values()):
        cases[NASTY] = cases.pop("case_001")
    curves = {"head": [{"epoch": float(epoch), "g_l1": 1.0 + epoch} for epoch in range(3)]}
    path = tmp_path_factory.mktemp("page") / "a report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "BOX_METRICS", ("mae", "ssim"))
        patch.setattr(sections, "AGREEMENT_QUANTITIES", ())
        report.write_report(path, summary, {NASTY: content(0), "case_002": content(1)}, curves=curves)
    return path


@pytest.fixture(scope="module")
def shared(chromium, path):
    """One tab for all that leave it as it was."""
    with opened(chromium, path) as tab:
        yield tab


@pytest.fixture
def tab(shared):
    """The tab with the viewer at the start: the first case, coronal, its middle slice."""
    shared.page.reload()
    ready(shared)
    yield shared
    assert shared.said == []
    assert {re.match("[a-z]+:", address)[0] for address in shared.asked} <= {"file:", "data:"}
    shared.asked.clear()


def ready(tab):
    tab.page.locator("details.case").first.scroll_into_view_if_needed()
    tab.wait("document.querySelector('#viewer').dataset.state === 'ready'")
    tab.wait("document.querySelector('#viewer').dataset.drawn > 0")


def drawn_by(tab, action):
    """Act, and wait until the viewer has drawn."""
    before = tab.run("Number(document.querySelector('#viewer').dataset.drawn)")
    action()
    tab.wait(f"document.querySelector('#viewer').dataset.drawn > {before}")


def picture(tab, panel):
    """The pixels (rows, columns, RGB) of a panel."""
    found = tab.run(PICTURE, panel)
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)[..., :3]


def pictures(tab):
    return {panel: picture(tab, panel) for panel in ("ct", "real", "fake", "error")}


def changed(before, after):
    return {panel for panel in before if not np.array_equal(before[panel], after[panel])}


def slide(tab, name, value):
    set_value = "([name, value]) => { const input = document.querySelector(`[name=${name}]`); input.value = value;"
    tab.run(set_value + " input.dispatchEvent(new Event('input', {bubbles: true})); }", [name, str(value)])


def slice_now(tab):
    return tab.run("Number(document.querySelector('[name=slice]').value)")


def test_the_scripts_and_styles_cannot_end_their_elements():
    assert not re.search("</(script|style)", script() + style(), re.IGNORECASE)
    for name in (*SCRIPTS, *STYLES, "viewer.html"):
        assert "http" not in asset(name)
        assert len(asset(name).splitlines()) < 300


def test_volumes_come_out_as_they_went_in(tab):
    codes = tab.run(
        """async () => {
          const volumes = await decodeVolumes(document.querySelector("[data-shape]"));
          return {shape: volumes.shape, voxel: volumes.voxel, ct: [...volumes.ct], real: [...volumes.real],
                  fake: [...volumes.fake]};
        }"""
    )
    case = aligned_case(0)
    assert (codes["shape"], codes["voxel"]) == (list(GRID.shape), 4.0)
    for name, scale in (("ct", CT_SCALE), ("real", PET_SCALE), ("fake", PET_SCALE)):
        np.testing.assert_array_equal(codes[name], scale.encode(getattr(case, name).array).ravel())


@pytest.mark.parametrize(
    ("key", "rows", "columns"),
    [("a", "y", "x"), ("c", "up", "x"), ("s", "up", "y")],
    ids=["axial", "coronal", "sagittal"],
)
def test_every_plane_shows_the_body_as_it_lies(tab, key, rows, columns):
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
    assert changed(before, pictures(tab)) == {"ct", "real", "fake", "error"}
    drawn_by(tab, lambda: slide(tab, "slice", start))
    assert changed(before, pictures(tab)) == set()
    slices.hover()
    drawn_by(tab, lambda: tab.page.mouse.wheel(0, -100))
    assert slice_now(tab) == start + 1


def test_the_wheel_scrolls_the_page_until_the_viewer_is_chosen(tab):
    start, before = slice_now(tab), tab.run("scrollY")
    tab.page.locator("[data-panel=ct] canvas").hover()
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
        ("level", -200, {"ct", "real", "fake"}),
        ("width", 2000, {"ct", "real", "fake"}),
        ("preset", "-600 1500", {"ct", "real", "fake"}),
    ],
)
def test_each_slider_changes_what_it_says_and_nothing_else(tab, name, value, panels):
    before = pictures(tab)
    drawn_by(tab, lambda: slide(tab, name, value))
    assert changed(before, pictures(tab)) == panels


def test_no_fusion_is_the_ct_and_full_fusion_is_the_pet(tab):
    drawn_by(tab, lambda: slide(tab, "fusion", 0))
    shown = pictures(tab)
    np.testing.assert_array_equal(shown["real"], shown["ct"])
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
        shown = picture(tab, "ct")
        assert shown[15, 5] == pytest.approx([water] * 3, abs=3)
        assert shown[15, 9].tolist() == [255] * 3
        assert shown[0, 0].tolist() == [0] * 3
    assert tab.run("document.querySelector('[name=preset]').value") == ""


def test_a_click_moves_the_crosshair_and_says_what_is_there(tab):
    box = tab.page.locator("[data-panel=ct] canvas").bounding_box()
    z, y, x = ((part.start + part.stop) // 2 for part in HOT)
    drawn_by(tab, lambda: slide(tab, "slice", y))
    place = {"x": box["width"] * (x + 0.5) / GRID.shape[2], "y": box["height"] * (1 - (z + 0.5) / GRID.shape[0])}
    drawn_by(tab, lambda: tab.page.locator("[data-panel=ct] canvas").click(position=place))
    hu, real, fake = re.findall(r"[\d.]+(?= (?:HU|SUV,))", tab.run("document.querySelector('.readout').textContent"))
    assert float(hu) == pytest.approx(40, abs=3)
    assert float(real) == pytest.approx(HOT_SUV, abs=0.3)
    assert COLD_SUV - 0.1 <= float(fake) <= COLD_SUV + 0.5
    cross = tab.page.locator("[data-panel=error] .cross.vertical").bounding_box()
    error = tab.page.locator("[data-panel=error] canvas").bounding_box()
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


def test_tables_sort_by_size_and_by_name_and_what_is_missing_comes_last(tab):
    column = "[...document.querySelectorAll('#cases + .scroll tbody tr')].map(row => row.cells[{}].textContent)"
    headers = tab.page.locator("#cases + .scroll thead button")
    headers.nth(5).click()
    values = tab.run(column.format(5))
    numbers = [float(text.replace("−", "-")) for text in values[:-1]]
    assert values[-1] == "–"
    assert numbers == sorted(numbers)
    assert tab.run("document.querySelector('#cases + .scroll th[aria-sort]').ariaSort") == "ascending"
    headers.nth(5).click()
    assert tab.run(column.format(5)) == [*values[:-1][::-1], "–"]
    headers.nth(0).focus()
    tab.page.keyboard.press("Enter")
    assert tab.run(column.format(0)) == sorted(tab.run(column.format(0)), key=str.casefold)
    assert tab.page.locator("#cases + .scroll th[aria-sort]").count() == 1


def test_one_metric_is_shown_at_a_time(tab):
    choice = tab.page.locator(".alternatives").first
    assert choice.locator("caption:visible").all_text_contents() == ["MAE [SUV]"]
    choice.locator("select").select_option(label="PSNR [dB]")
    assert choice.locator("caption:visible").all_text_contents() == ["PSNR [dB]"]


def test_a_link_opens_the_case_that_it_leads_to(tab):
    last = tab.page.locator("details.case").last
    last.locator("summary").first.click()
    assert not last.evaluate("case_ => case_.open")
    anchor = last.get_attribute("id")
    tab.page.locator(f"#cases + .scroll a[href='#{anchor}']").click()
    tab.wait(f"document.getElementById('{anchor}').open")
    tab.run("location.hash = ''")


def background(tab):
    return sum(map(int, re.findall(r"\d+", tab.run("getComputedStyle(document.body).backgroundColor"))[:3]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_as_the_reader_has_it_and_the_other_way_round(chromium, path, scheme):
    with opened(chromium, path, color_scheme=scheme) as tab:
        first = background(tab)
        assert (first > 600) == (scheme == "light")
        tab.page.locator("#theme").click()
        second = background(tab)
        assert (second > 600) == (scheme == "dark")
        tab.page.reload()
        assert background(tab) == second
        assert tab.said == []


@pytest.mark.parametrize("options", [PHONE, {}], ids=["phone", "desktop"])
def test_nothing_is_wider_than_the_screen_and_nothing_is_said(chromium, path, options):
    with opened(chromium, path, **options) as tab:
        tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        ready(tab)
        for key in ("axial", "sagittal"):
            drawn_by(tab, lambda key=key: tab.page.locator(f"[name=plane][value={key}] + span").click())
            wide = tab.run(
                """width => [...document.body.querySelectorAll("*")].filter(one =>
                  one.getBoundingClientRect().right > width + 1 && !one.closest(".scroll, .contents, pre"))
                  .map(one => one.outerHTML.slice(0, 80))""",
                tab.page.viewport_size["width"],
            )
            assert wide == []
            assert tab.run("document.documentElement.scrollWidth") <= tab.page.viewport_size["width"]
        assert tab.said == []


def test_damaged_volumes_are_said_to_be_and_not_thrown(chromium, path, tmp_path):
    text = path.read_text(encoding="utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(re.sub(r'(data-voxel="[\d.]+">).{40}', r"\1" + "A" * 40, text), encoding="utf-8")
    with opened(chromium, broken) as tab:
        tab.page.locator("details.case").first.scroll_into_view_if_needed()
        tab.wait("document.querySelector('#viewer').dataset.state === 'failed'")
        assert "cannot be shown" in tab.run("document.querySelector('.readout').textContent")
        assert tab.said == []


def test_a_script_that_came_in_by_a_name_would_not_run(chromium, path, tmp_path):
    text = path.read_text(encoding="utf-8")
    attacked = tmp_path / "attacked.html"
    attack = '<script>document.title = "ATTACKED"</script><img src="x" onerror="document.title = 1">'
    attacked.write_text(text.replace("<h1 ", f"{attack}<h1 ", 1), encoding="utf-8")
    with opened(chromium, attacked) as tab:
        ready(tab)
        assert tab.page.title() == "Synthetic PET from CT"
        assert tab.said


def test_without_scripts_everything_but_the_slices_is_there(chromium, path):
    with opened(chromium, path, java_script_enabled=False) as tab:
        assert tab.page.locator("caption:visible").count() > 5
        assert tab.page.locator("button:visible").count() == 0
        assert not tab.page.locator("#viewer").is_visible()
