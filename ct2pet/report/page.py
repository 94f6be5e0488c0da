"""The pieces of the report's HTML. Every text that comes from outside is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

STYLE = """
:root { color-scheme: light dark; --back: #ffffff; --text: #1b1f24; --quiet: #57606a; --line: #d0d7de; --card: #f6f8fa;
  --accent: #0b5cad; --warn-back: #fff4d6; --warn-text: #5c4300; }
@media (prefers-color-scheme: dark) { :root { --back: #0f1318; --text: #e6e9ed; --quiet: #9aa4af; --line: #303843;
  --card: #181e26; --accent: #7ab8ff; --warn-back: #3a2e0c; --warn-text: #ffe2a0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 72rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
.answer { font-size: 1.15rem; border-left: 4px solid var(--accent); background: var(--card); padding: .75rem 1rem; }
.warning { background: var(--warn-back); color: var(--warn-text); padding: .5rem 1rem; border-radius: 6px; }
.quiet { color: var(--quiet); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; margin: .5rem 0 1rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { padding: .3rem .75rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { color: var(--quiet); font-weight: 600; }
tbody tr.first td { font-weight: 700; }
figure { margin: 0 0 1rem; } img { max-width: 100%; height: auto; background: #fff; border-radius: 6px;
  border: 1px solid var(--line); display: block; }
pre { background: var(--card); padding: 1rem; overflow-x: auto; border-radius: 6px; font-size: .85rem; }
summary { cursor: pointer; color: var(--accent); }
"""


def page(title: str, body: Sequence[str]) -> str:
    """The whole document. Its content policy forbids browsers to load anything from anywhere."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{STYLE}</style>"
    )
    content = "\n".join(body)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{content}\n</body></html>\n'


def escaped(text: str) -> str:
    return html.escape(str(text), quote=True)


def element(tag: str, text: str, kind: str = "") -> str:
    """``<tag class="kind">text</tag>``, the text escaped."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<{tag}{attribute}>{escaped(text)}</{tag}>"


def table(rows: Sequence[Sequence[str]], *, emphasise_first: bool = False) -> str:
    """A table whose first row is the header and whose first column names the rows."""
    header = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in rows[0])
    lines = []
    for index, row in enumerate(rows[1:]):
        kind = ' class="first"' if emphasise_first and index == 0 else ""
        lines.append(f"<tr{kind}>" + "".join(element("td", cell) for cell in row) + "</tr>")
    return f'<div class="scroll"><table><thead><tr>{header}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def image(png: bytes, alternative: str) -> str:
    """The PNG inside the page itself."""
    data = base64.b64encode(png).decode("ascii")
    return f'<figure><img alt="{escaped(alternative)}" src="data:image/png;base64,{data}"></figure>'


def details(title: str, content: str) -> str:
    """Something folded away; ``content`` is HTML."""
    return f"<details><summary>{escaped(title)}</summary>{content}</details>"
