"""The page's style, scripts and fixed parts: files in the folder assets, included without changes."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

SCRIPTS = ("volumes.js", "tools.js", "viewer.js", "page.js")
STYLES = ("page.css", "viewer.css")
_FOLDER = Path(__file__).with_name("assets")


@cache
def asset(name: str) -> str:
    """The text of a file of the folder."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def style() -> str:
    return "\n".join(map(asset, STYLES))


def script() -> str:
    """All scripts as one, with a single "use strict"."""
    return "\n".join(map(asset, SCRIPTS))


def content_policy() -> str:
    """The page's content security policy: only its own content and exactly this script; nothing is loaded."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
