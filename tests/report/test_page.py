import json
import re
from html.parser import HTMLParser

from ct2pet.outputs import holds_texts
from ct2pet.report import page
from ct2pet.report.page import Cell

VOID = {"meta", "img"}
NASTY = '</script><script>alert("1")</script> & co'


class Checker(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.attributes, self.tags = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [value for _, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_elements_of_a_page_are_closed_and_text_is_escaped():
    parts = [
        page.element("h2", NASTY, id=NASTY, class_="x"),
        page.table(["a", NASTY], [["b", Cell(NASTY, 1.0, link=NASTY, kind=NASTY)]], caption=NASTY),
        page.image(b"png", NASTY),
        page.details(NASTY, page.element("p", "x")),
        page.alternatives(NASTY, {NASTY: "<p>one</p>"}),
    ]
    checker = Checker("".join(page.page(NASTY, parts)))
    assert checker.tags.count("script") == 1
    assert "".join(checker.text).count(NASTY) == 8
    assert NASTY in checker.attributes


def test_data_for_scripts_cannot_end_their_element():
    block = page.json_block("data", {NASTY: 1.5})
    checker = Checker(block)
    assert checker.tags == ["script"]
    assert json.loads("".join(checker.text)) == {NASTY: 1.5}
    assert "<" not in "".join(checker.text)


def test_cells_carry_the_number_that_they_are_sorted_by():
    text = page.table(["name", "MAE"], [["ours", Cell("0.1 ± 0.2", 0.123)], [Cell("zeros", kind="own"), Cell("–")]])
    assert re.findall(r'<td data-value="([^"]*)"', text) == ["0.123", ""]
    assert text.count('<th scope="row"') == 2
    assert text.count('<th scope="col"') == 2
    assert '<th scope="row" class="own">zeros' in text


def test_data_come_after_the_visible_part():
    text = "".join(page.page("x", ["SEEN"], iter(["HEAVY"])))
    assert text.index("SEEN") < text.index("<script>") < text.index("HEAVY") < text.index("</body>")


def test_the_beginning_of_a_page_names_the_command_that_may_replace_it(tmp_path):
    for program in ("ct2pet_report", "ct2pet_augmentation_study"):
        path = tmp_path / f"{program}.html"
        path.write_text("".join(page.page("x" * 5000, [], program=program)))
        assert holds_texts(path, "<!DOCTYPE html>", f'<meta name="generator" content="{program}">')
