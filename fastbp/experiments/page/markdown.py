"""The report as compact Markdown, with pictures beside it."""

from __future__ import annotations

from collections.abc import Callable

from fastbp.experiments.figures import Shown
from fastbp.pages import Table

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

Link = Callable[[Section, Shown], str]  # where a picture lies, as seen from the page


def markdown(report: Report, link: Link) -> str:
    """The whole page."""
    parts = [f"# {TITLE}", report.warning(), NOTE, table(main_table(report)), ABOUT_VERDICTS]
    parts += [report.duration() + ".", ABOUT_TIMES]
    for section in report.sections:
        parts += _section(section, link)
    parts += ["## Settings and machine", table(settings_table(report))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _section(section: Section, link: Link) -> list[str]:
    experiment = section.experiment
    parts = [
        f"## {experiment.row}: {experiment.title}",
        f"`python -m fastbp experiment {experiment.name}`. {experiment.setting}.",
        f"Reported: {experiment.reported}.",
    ]
    if experiment.variants:
        parts.append(table(variant_table(section)))
    if section.verdicts:
        rows = [
            [verdict.claim, f"**{verdict.word}**", verdict.numbers] for verdict in section.verdicts
        ]
        parts.append(table([["claim", "verdict", "numbers"], *rows]))
    parts.append("\n".join(f"- {choice}" for choice in experiment.choices))
    for shown in section.shown:
        if shown.path is None:
            parts.append(f"{shown.caption}:\n\n```\n{shown.text}```")
        else:
            parts.append(f"![{_cell(shown.caption)}]({link(section, shown)})")
    return parts


def table(rows: Table) -> str:
    """A Markdown table; its first row is the head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("[", "\\[").replace("]", "\\]")
