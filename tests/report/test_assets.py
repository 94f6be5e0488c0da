"""The page in a real browser: does it do what its controls say?"""

import re

import pytest
from browser import opened
from slices import drawn_by, ready

from ct2pet.report.assets import SCRIPTS, STYLES, asset, script, style

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def test_the_scripts_and_styles_cannot_end_their_elements():
    assert not re.search("</(script|style)", script() + style(), re.IGNORECASE)
    for name in (*SCRIPTS, *STYLES, "viewer.html"):
        assert "http" not in asset(name)
        assert len(asset(name).splitlines()) < 300


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
