"""Self-contained HTML pages: style and pictures inside, nothing to load.

Every function here takes plain text and returns markup in which that text is escaped. A page is
well-formed XML too, whatever is in the texts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

Table = list[list[str]]  # the first row is the head

FOLDER = os.path.dirname(__file__)
NUMBER = r"[\d–-]|diverged"  # how a cell of figures starts
# As XML says; compiled when it is used, for that takes as long as many modules.
NO_TEXT = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def document(title: str, body: Iterable[str]) -> str:
    """A whole page of these parts, which are markup."""
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n'
        '<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{escape(title)}</title>\n<style>\n{style('page.css')}</style>\n</head>\n"
        f"<body>\n{lines(body)}\n</body>\n</html>\n"
    )


def style(name: str) -> str:
    """A style sheet that lies here."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def escape(text: str) -> str:
    """Text as markup; a number, its spread and its unit stay on one line."""
    from html import escape as escape_markup

    text = re.sub(NO_TEXT, "\ufffd", text)
    return escape_markup(text).replace(" %", "\u00a0%").replace(" ± ", "\u00a0±\u00a0")


def lines(parts: Iterable[str]) -> str:
    """Markup, a line each; empty parts are none."""
    return "\n".join(filter(None, parts))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, of a class of the style."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def picture(png: bytes, caption: str, wide: bool = False) -> str:
    """A picture with its caption; a wide one scrolls sideways by itself."""
    import base64

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
    """A table; cells with figures stand right, and so does the name of a column of them."""
    head, *body = rows
    right = [[numbers and bool(n) and _is_number(row[n]) for n in range(len(row))] for row in body]
    found = []
    for row, places in zip(body, right, strict=True):
        cells = zip(row, places, strict=True)
        found.append("".join(f"<td{_number(place)}>{escape(cell)}</td>" for cell, place in cells))
    names = [all(column) for column in zip(*right, strict=True)]
    return wrapped(head, [f"<tr>{cells}</tr>" for cells in found], "", names)


def blocks(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are markup; on a narrow screen its rows become blocks.

    There each cell from the third on stands after its column's name.
    """
    found = []
    for first, second, *rest in rows:
        named = zip(map(escape, head[2:]), rest, strict=True)
        others = "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in named)
        found.append(f"<tr><td>{first}</td><td>{second}</td>{others}</tr>")
    return wrapped(head, found, "main stacked")


def headline(figures: Iterable[tuple[str, str, str]]) -> str:
    """Figures in large letters: what each is, its value, and what it is to be compared with."""
    cards = [
        f"<div><dt>{escape(name)}</dt><dd><strong>{escape(value)}</strong></dd>"
        f'<dd class="dim">{escape(beside)}</dd></div>'
        for name, value, beside in figures
    ]
    return f'<dl class="headline">\n{lines(cards)}\n</dl>'


def heading(text: str) -> str:
    """What a part of the page is called."""
    return f"<h2>{escape(text)}</h2>"


def wrapped(
    head: Sequence[str], rows: Iterable[str], kind: str = "", right: Sequence[bool] = ()
) -> str:
    """A table of rows that are markup; it scrolls sideways where the screen is too narrow.

    A head without names is left out; those of columns that stand ``right`` do so too.
    """
    places = right or [False] * len(head)
    cells = "".join(
        f"<th{_number(place)}>{escape(name)}</th>" for name, place in zip(head, places, strict=True)
    )
    top = f"<thead><tr>{cells}</tr></thead>\n" if any(head) else ""
    return (
        f'<div class="wide"><table{_class(kind)}>\n{top}'
        f"<tbody>\n{lines(rows)}\n</tbody>\n</table></div>"
    )


def _caption(text: str) -> str:
    return f"<figcaption>{escape(text)}</figcaption>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _number(yes: bool) -> str:
    return _class("number") if yes else ""


def _is_number(cell: str) -> bool:
    return bool(re.match(NUMBER, cell)) and ", " not in cell
