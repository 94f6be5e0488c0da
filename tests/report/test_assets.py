"""The page in a real browser: does it do what its controls say?"""

import csv
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
def test_no_element_is_wider_than_the_screen_and_the_console_is_empty(chromium, path, options):
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


def test_the_report_without_scripts_shows_everything_except_slices(chromium, path):
    with opened(chromium, path, java_script_enabled=False) as tab:
        assert tab.page.locator("caption:visible").count() > 5
        assert tab.page.locator("button:visible").count() == 0
        assert not tab.page.locator("#viewer").is_visible()


def test_a_phone_shows_every_value_and_every_link_of_the_navigation(chromium, path):
    """390 px: nothing has to be scrolled sideways, tables and navigation included."""
    with opened(chromium, path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as tab:
        tab.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        outside = tab.run(
            """() => [...document.querySelectorAll(".contents a, .scroll td, .scroll tbody th, .scroll caption")]
              .filter(one => one.offsetParent && one.getBoundingClientRect().right > 391).map(one => one.textContent)"""
        )
        assert outside == []
        baseline = tab.page.locator("td[data-label='body median']").first
        assert baseline.is_visible()
        content = baseline.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert content == '"body median"'


def test_on_paper_every_table_is_whole(chromium, path, tmp_path):
    """Headings, all rows and all columns of every table, those of closed parts and of all metrics too; no row is cut by
    the edge of the paper."""
    pypdf = pytest.importorskip("pypdf")
    with opened(chromium, path, color_scheme="dark") as tab:
        tables = tab.run(
            """() => [...document.querySelectorAll("table")].map(table => [...table.rows].map(row =>
              [...row.cells].map(cell => cell.textContent)))"""
        )
        tab.page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True, print_background=True)
    pages = pypdf.PdfReader(tmp_path / "report.pdf").pages
    printed = squeezed("".join(page.extract_text() for page in pages))
    assert len(tables) > 8
    for rows in tables:
        for row in rows:
            assert squeezed("".join(row)) in printed, row
    width = float(pages[0].mediabox.width)
    assert width > float(pages[0].mediabox.height)  # landscape
    assert all(0 <= x < width for page in pages for x in places_of(page))


def places_of(page):
    """Where along the width of a page (points) each piece of text begins."""
    places = []

    def visit(text, outer, inner, *_):
        if text.strip():
            places.append(inner[4] * outer[0] + inner[5] * outer[2] + outer[4])

    page.extract_text(visitor_text=visit)
    return places


def squeezed(text):
    return re.sub(r"\s+", "", text)


def test_collapsed_parts_are_collapsed_again_after_printing(tab, tmp_path):
    before = tab.run("document.querySelectorAll('details[open]').length")
    tab.page.pdf(path=tmp_path / "x.pdf")
    assert tab.run("document.querySelectorAll('details[open]').length") == before


def test_a_table_is_saved_as_csv(tab, tmp_path):
    with tab.page.expect_download() as download:
        tab.page.locator("#cases + .scroll + button.save").click()
    download.value.save_as(tmp_path / "table.csv")
    assert download.value.suggested_filename == "All_cases.csv"
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        saved = list(csv.reader(file))
    shown = tab.run(
        "[...document.querySelector('#cases + .scroll table').rows].map(row => [...row.cells].map(c => c.textContent))"
    )
    assert saved == [[cell.replace("−", "-") for cell in row] for row in shown]
    assert any(cell.startswith("-") for row in saved for cell in row)  # a bias that is negative, as a number
