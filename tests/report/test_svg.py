import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from ct2pet.report.colours import SERIES
from ct2pet.report.plots import figure_of, plot_style
from ct2pet.report.svg import INK, inline_svg, link

NASTY = '<script>alert("1")</script> & $x^2$'


def draw(axes):
    points = axes.scatter([1, 2], [3, 4], color=SERIES[0])
    points.set_urls([link("case-1", NASTY), link("case-2", "b")])
    axes.plot([1, 2], [3, 4], color=SERIES[1])
    axes.set_title(NASTY)


@pytest.fixture(scope="module")
def svg():
    return inline_svg(figure_of([draw]), NASTY, "one-")


def test_a_plot_is_one_svg_element_with_a_description(svg):
    top = ElementTree.fromstring(svg)
    assert top.tag == "svg"
    assert top.get("role") == "img"
    assert top.get("aria-label") == NASTY
    assert "http" not in svg
    assert "xmlns" not in svg
    assert top.get("width") is None
    assert top.get("viewBox")


def test_texts_stay_texts_and_no_name_is_a_formula(svg):
    assert "<script" not in svg
    texts = ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter("text")]
    assert NASTY in texts


def test_points_lead_to_their_case_and_say_its_name(svg):
    links = list(ElementTree.fromstring(svg).iter("a"))
    assert [(one.get("href"), one.find("title").text) for one in links] == [("#case-1", NASTY), ("#case-2", "b")]
    assert {one.get("tabindex") for one in links} == {"-1"}


def test_colours_are_those_of_the_page(svg):
    assert INK not in svg
    for colour in SERIES[:2]:
        assert colour not in svg
    for variable in ("currentColor", "var(--series-1)", "var(--series-2)"):
        assert variable in svg


def test_two_on_a_page_do_not_share_names_and_the_same_is_the_same(svg):
    other = inline_svg(figure_of([draw]), "x", "two-")
    names = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (svg, other)]
    assert names[0]
    assert not names[0] & names[1]
    for text, own in zip((svg, other), names):
        used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'<use [^>]*href="#([^"]+)"', text))
        assert used
        assert used <= own
    assert inline_svg(figure_of([draw]), NASTY, "one-") == svg


def test_the_style_of_plots_does_not_affect_the_page():
    figure = Figure()
    before = figure.subplots().title.get_fontweight()
    with plot_style():
        assert Figure().subplots().title.get_fontweight() == "bold"
    assert Figure().subplots().title.get_fontweight() == before
