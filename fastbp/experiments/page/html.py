"""The report as one self-contained HTML page."""

from __future__ import annotations

from fastbp import pages
from fastbp.experiments.claims import FAILS, HOLDS, NOT_JUDGED, UNDECIDED, Verdict
from fastbp.experiments.figures import Shown
from fastbp.pages import escape, lines, paragraph

from .content import (
    ABOUT_TIMES,
    ABOUT_VERDICTS,
    NOTE,
    TITLE,
    Report,
    Section,
    main_table,
    settings_table,
    variant_table,
)

CLASSES = {HOLDS: "holds", FAILS: "fails", UNDECIDED: "undecided", NOT_JUDGED: "undecided"}


def html(report: Report) -> str:
    """The page. It is well-formed XML too."""
    warning = report.warning()
    body = [
        f"<h1>{escape(TITLE)}</h1>",
        paragraph(warning, "warning") if warning else "",
        paragraph(NOTE),
        _main_table(report),
        paragraph(ABOUT_VERDICTS, "dim"),
        paragraph(f"{report.duration()}. {ABOUT_TIMES}", "dim"),
        *map(_section, report.sections),
        "<h2>Settings and machine</h2>",
        pages.table(settings_table(report), numbers=False),
    ]
    return pages.document(TITLE, body)


def _section(section: Section) -> str:
    experiment = section.experiment
    parts = [
        f'<h2 id="{experiment.name}"><span class="row">{escape(experiment.row)}</span> '
        f"{escape(experiment.title)}</h2>",
        f"<p>{escape(experiment.setting)}. <code>experiment {experiment.name}</code></p>",
        f"<p>Reported: {escape(experiment.reported)}.</p>",
    ]
    if experiment.variants:
        parts.append(pages.table(variant_table(section)))
    if section.verdicts:
        parts.append(_verdicts(section.verdicts))
    if experiment.choices:
        items = lines([f"<li>{escape(choice)}</li>" for choice in experiment.choices])
        parts.append(f"<ul>\n{items}\n</ul>")
    parts.append(pages.side_by_side([_figure(shown) for shown in section.shown]))
    return lines(["<section>", *parts, "</section>"])


def _figure(shown: Shown) -> str:
    if shown.path is None:
        return pages.quoted(shown.text, shown.caption)
    return pages.picture(shown.path.read_bytes(), shown.caption, shown.wide)


def _verdicts(verdicts: list[Verdict]) -> str:
    rows = [
        f'<tr><td>{escape(verdict.claim)}</td><td class="verdict {CLASSES[verdict.word]}">'
        f"{escape(verdict.word)}</td><td>{escape(verdict.numbers)}</td></tr>"
        for verdict in verdicts
    ]
    return pages.wrapped(["claim", "verdict", "numbers"], rows, "stacked")


def _main_table(report: Report) -> str:
    head, *body = main_table(report)
    rows = []
    for section, cells in zip(report.sections, body, strict=True):
        row, title, *rest = map(escape, cells)
        rows.append([row, f'<a href="#{section.experiment.name}">{title}</a>', *rest])
    return pages.blocks(head, rows)
