"""A matplotlib figure as SVG inside the page, with the page's fonts and its colours (light and dark)."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ct2pet.report.colours import SERIES

INK = "#010203"  # replaced by the colour of the page's text
_XLINK = "{http://www.w3.org/1999/xlink}href"
_COLOURS = {INK: "currentColor"} | {colour: f"var(--series-{n})" for n, colour in enumerate(SERIES, start=1)}


def link(anchor: str, text: str) -> str:
    """An URL for an artist: in the page it links to ``#anchor`` and shows ``text`` at the pointer."""
    return f"#{anchor} {text}"


def inline_svg(figure: Figure, description: str, identity: str) -> str:
    """The figure as an ``<svg>`` element. ``description``: for screen readers; ``identity`` must be unique for each
    figure of a page."""
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": identity}):
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    top = ElementTree.fromstring(buffer.getvalue())
    for node in top.iter():
        _simplify(node, identity)
    _remove(top, "metadata")
    for name in ("width", "height", "version"):
        top.attrib.pop(name, None)
    top.attrib |= {"role": "img", "aria-label": description}
    text = ElementTree.tostring(top, encoding="unicode")
    return re.sub("|".join(_COLOURS), lambda match: _COLOURS[match[0]], text)


def _simplify(node: ElementTree.Element, identity: str) -> None:
    """Removes name spaces and unused names, and makes the others unique on the page."""
    node.tag = node.tag.rsplit("}", 1)[-1]
    target = node.attrib.pop(_XLINK, None)
    if node.tag == "g":
        node.attrib.pop("id", None)
    elif "id" in node.attrib:
        node.set("id", f"{identity}-{node.get('id')}")
    for name, value in node.attrib.items():
        node.set(name, value.replace("url(#", f"url(#{identity}-"))
    if target is None:
        return
    if node.tag == "a":
        anchor, _, text = target.partition(" ")
        node.attrib |= {"href": anchor, "tabindex": "-1"}
        title = ElementTree.Element("title")
        title.text = text
        node.insert(0, title)
    else:
        node.set("href", f"#{identity}-{target.removeprefix('#')}")


def _remove(top: ElementTree.Element, tag: str) -> None:
    for child in list(top):
        if child.tag == tag:
            top.remove(child)
