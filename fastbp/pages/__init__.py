"""Self-contained HTML pages: style and pictures inside, nothing to load.

Every function here takes plain text and returns markup in which that text is escaped. A page is
well-formed XML too, whatever is in the texts.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape as escape_markup
from pathlib import Path

Table = list[list[str]]  # the first row is the head

STYLE = Path(__file__).with_name("page.css")
NUMBER = re.compile(r"[\d–-]|diverged")  # how a cell of figures starts
NO_TEXT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # says XML


def document(title: str, body: Iterable[str]) -> str:
    """A whole page of these parts, which are markup."""
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n'
        '<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text('utf-8')}</style>\n</head>\n"
        f"<body>\n{lines(body)}\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """Text as markup; a number, its spread and its unit stay on one line."""
    text = NO_TEXT.sub("\ufffd", text)
    return escape_markup(text).replace(" %", "\u00a0%").replace(" ± ", "\u00a0±\u00a0")


def lines(parts: Iterable[str]) -> str:
    """Markup, a line each; empty parts are none."""
    return "\n".join(filter(None, parts))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, of a class of the style."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def picture(png: bytes, caption: str, wide: bool = False) -> str:
    """A picture with its caption; a wide one scrolls sideways by itself."""
    data = base64.b64encode(png).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(caption)}" />'
    if wide:
        image = f'<div class="wide">{image}</div>'
    return f"<figure{_class('broad' if wide else '')}>{image}{_caption(caption)}</figure>"


def quoted(text: str, caption: str) -> str:
    """Text as it is, with its caption."""
    return f'<figure class="text"><pre>{escape(text)}</pre>{_caption(caption)}</figure>'


def side_by_side(figures: Sequence[str]) -> str:
    """Pictures and quoted texts, as many beside each other as there is room for."""
    return f'<div class="figures">\n{lines(figures)}\n</div>' if figures else ""


def table(rows: Table, numbers: bool = True) -> str:
    """A table whose cells with figures, if there are any, stand right."""
    head, *body = rows
    found = []
    for first, *rest in body:
        cells = "".join(
            f"<td{_is_number(cell) if numbers else ''}>{escape(cell)}</td>" for cell in rest
        )
        found.append(f"<tr><td>{escape(first)}</td>{cells}</tr>")
    return wrapped(head, found)


def wrapped(head: Sequence[str], rows: Iterable[str], kind: str = "") -> str:
    """A table of rows that are markup; it scrolls sideways where the screen is too narrow."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    return (
        f'<div class="wide"><table{_class(kind)}>\n<thead><tr>{cells}</tr></thead>\n'
        f"<tbody>\n{lines(rows)}\n</tbody>\n</table></div>"
    )


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _is_number(cell: str) -> str:
    return ' class="number"' if NUMBER.match(cell) and ", " not in cell else ""
