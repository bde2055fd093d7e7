"""The report as one self-contained HTML page: style and pictures inside, nothing to load."""

from __future__ import annotations

import base64
import re
from html import escape as escape_markup
from pathlib import Path

from fastbp.experiments.claims import FAILS, HOLDS, UNDECIDED, Verdict
from fastbp.experiments.figures import Shown

from .content import (
    ABOUT_TIMES,
    ABOUT_VERDICTS,
    NOTE,
    TITLE,
    Report,
    Section,
    Table,
    main_table,
    settings_table,
    variant_table,
)

STYLE = Path(__file__).with_name("page.css")
CLASSES = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided"}
NUMBER = re.compile(r"[\d–]|diverged")  # how a cell of figures starts


def html(report: Report) -> str:
    """The page. It is well-formed XML too."""
    warning = report.warning()
    body = [
        f"<h1>{escape(TITLE)}</h1>",
        f'<p class="warning">{escape(warning)}</p>' if warning else "",
        _paragraph(NOTE),
        _main_table(report),
        _paragraph(ABOUT_VERDICTS, "dim"),
        _paragraph(f"{report.duration()}. {ABOUT_TIMES}", "dim"),
        *map(_section, report.sections),
        "<h2>Settings and machine</h2>",
        _table(settings_table(report), numbers=False),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n'
        '<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{escape(TITLE)}</title>\n<style>\n{STYLE.read_text('utf-8')}</style>\n</head>\n"
        f"<body>\n{_lines(body)}\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    experiment = section.experiment
    parts = [
        f'<h2 id="{experiment.name}"><span class="row">{escape(experiment.row)}</span> '
        f"{escape(experiment.title)}</h2>",
        f"<p>{escape(experiment.setting)}. <code>experiment {experiment.name}</code></p>",
        f"<p>Reported: {escape(experiment.reported)}.</p>",
    ]
    if experiment.variants:
        parts.append(_table(variant_table(section)))
    if section.verdicts:
        parts.append(_verdicts(section.verdicts))
    if experiment.choices:
        items = _lines([f"<li>{escape(choice)}</li>" for choice in experiment.choices])
        parts.append(f"<ul>\n{items}\n</ul>")
    if section.shown:
        figures = _lines([_figure(shown) for shown in section.shown])
        parts.append(f'<div class="figures">\n{figures}\n</div>')
    return _lines(["<section>", *parts, "</section>"])


def _figure(shown: Shown) -> str:
    caption = f"<figcaption>{escape(shown.caption)}</figcaption>"
    if shown.path is None:
        return f'<figure class="text"><pre>{escape(shown.text)}</pre>{caption}</figure>'
    data = base64.b64encode(shown.path.read_bytes()).decode()
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(shown.caption)}" />'
    if shown.wide:
        return f'<figure class="broad"><div class="wide">{image}</div>{caption}</figure>'
    return f"<figure>{image}{caption}</figure>"


def _verdicts(verdicts: list[Verdict]) -> str:
    rows = [
        f'<tr><td>{escape(verdict.claim)}</td><td class="verdict {CLASSES[verdict.word]}">'
        f"{escape(verdict.word)}</td><td>{escape(verdict.numbers)}</td></tr>"
        for verdict in verdicts
    ]
    return _wrapped(["claim", "verdict", "numbers"], rows, "stacked")


def _main_table(report: Report) -> str:
    """Its rows become blocks on a narrow screen, each cell after its column's name."""
    head, *body = main_table(report)
    rows = []
    for section, cells in zip(report.sections, body, strict=True):
        row, title, *rest = map(escape, cells)
        link = f'<a href="#{section.experiment.name}">{title}</a>'
        named = zip(head[2:], rest, strict=True)
        others = "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in named)
        rows.append(f"<tr><td>{row}</td><td>{link}</td>{others}</tr>")
    return _wrapped(head, rows, "main stacked")


def _table(table: Table, numbers: bool = True) -> str:
    head, *body = table
    rows = []
    for first, *rest in body:
        cells = "".join(
            f"<td{_is_number(cell) if numbers else ''}>{escape(cell)}</td>" for cell in rest
        )
        rows.append(f"<tr><td>{escape(first)}</td>{cells}</tr>")
    return _wrapped(head, rows)


def _is_number(cell: str) -> str:
    return ' class="number"' if NUMBER.match(cell) and "," not in cell else ""


def _wrapped(head: list[str], rows: list[str], kind: str = "") -> str:
    """A table that scrolls sideways by itself where the screen is too narrow."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    named = f' class="{kind}"' if kind else ""
    return (
        f'<div class="wide"><table{named}>\n<thead><tr>{cells}</tr></thead>\n'
        f"<tbody>\n{_lines(rows)}\n</tbody>\n</table></div>"
    )


def escape(text: str) -> str:
    """Text as markup; a number, its spread and its unit stay on one line."""
    return escape_markup(text).replace(" %", "\u00a0%").replace(" ± ", "\u00a0±\u00a0")


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _lines(parts: list[str]) -> str:
    return "\n".join(filter(None, parts))
