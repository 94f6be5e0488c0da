import jinja2
import pytest

from ct2pet.report.templates import pieces, render


def test_text_is_escaped_and_a_missing_value_is_an_error():
    assert "&lt;b&gt;" in render("overview.html", facts=[("<b>", "x")])
    with pytest.raises(jinja2.UndefinedError, match="facts"):
        render("overview.html")


def test_pieces_are_read_when_their_turn_comes():
    """Of a large report no more than a piece is in memory twice."""
    read = []

    def data():
        for number in range(3):
            read.append(number)
            yield f"part {number}"

    found = pieces("page.html", title="t", body=["b"], data=data(), program="", policy="", style="", script="")
    for piece in found:
        if "part 0" in piece:
            break
    assert len(read) < 3
    assert "part 2" in "".join(found)
