"""The templates of the page, rendered by Jinja2, which escapes every text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_FOLDER = Path(__file__).with_name("assets")


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    return environment.get_template(name)


def render(name: str, /, **values: Any) -> str:
    """The template ``name`` with these values. A value that a template marks as ``safe`` is HTML already."""
    return _template(name).render(**values)


def pieces(name: str, /, **values: Any) -> Iterator[str]:
    """As ``render``, in pieces: iterables among the values are read when they are needed."""
    return _template(name).generate(**values)
