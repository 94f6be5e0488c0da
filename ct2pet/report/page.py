"""Elements of the report's HTML. Every text from outside is escaped."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ct2pet.report.assets import content_policy, script, style
from ct2pet.report.templates import pieces, render


def page(title: str, body: Iterable[str], data: Iterable[str] = (), *, program: str = "ct2pet_report") -> Iterator[str]:
    """The whole document, in pieces. ``data`` comes after the scripts, so that the visible part is shown first.
    ``program``: the command that writes it and may replace it, by which it recognises its pages."""
    parts = {"policy": content_policy(), "style": style(), "script": script()}
    return pieces("page.html", title=title, body=body, data=data, program=program, **parts)


def escaped(text: object) -> str:
    return html.escape(str(text), quote=True)


def element(tag: str, text: object, **attributes: str) -> str:
    """``<tag name="value">text</tag>``, text and values escaped; ``class_`` is the attribute class."""
    return wrapped(tag, escaped(text), **attributes)


def wrapped(tag: str, content: str, **attributes: str) -> str:
    """As ``element``; ``content`` is HTML."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    text = "".join(f' {name}="{escaped(value)}"' for name, value in names.items())
    return f"<{tag}{text}>{content}</{tag}>"


@dataclass(frozen=True)
class Cell:
    """A table cell: its text, the number for sorting, the anchor of its link, its kind (class)."""

    text: str
    value: float | None = None
    link: str = ""
    kind: str = ""


def table(header: Sequence[str], rows: Iterable[Sequence[Cell | str]], *, caption: str = "", sort: bool = True) -> str:
    """A table whose first column names the rows; readers can sort it by each column."""
    cells = [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return render("table.html", header=header, rows=cells, caption=caption, sort=sort)


def image(png: bytes, alternative: str) -> str:
    """The PNG inside the page itself."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escaped(alternative)}" loading="lazy" decoding="async" src="data:image/png;base64,{data}">'


def details(title: str, content: str) -> str:
    """A collapsed element; ``content`` is HTML."""
    return f"<details><summary>{escaped(title)}</summary>{content}</details>"


def alternatives(label: str, parts: Mapping[str, str]) -> str:
    """A choice between HTML parts by their titles. Without scripts all are shown, each under its title."""
    options = "".join(element("option", title, value=str(index)) for index, title in enumerate(parts))
    chooser = f'<label class="chooser" hidden>{escaped(label)} <select>{options}</select></label>'
    content = "".join(wrapped("div", part, data_choice=str(index)) for index, part in enumerate(parts.values()))
    return wrapped("div", chooser + content, class_="alternatives")


def json_block(identity: str, content: Any) -> str:
    """Data for the scripts. ``<`` is written as its code, so that no text in it can end the element."""
    text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escaped(identity)}">{text}</script>'
