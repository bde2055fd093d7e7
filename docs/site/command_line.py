"""The reference of ``python -m fastbp``, made of its parser."""

import argparse
from collections.abc import Iterator

import pages

from fastbp.cli._main import _parser


def make() -> None:
    """Write a page with every command and its options."""
    parser = _parser()
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    parts = ["# Command line", parser.description or "", f"```text\n{parser.epilog}```"]
    for name, command in commands.choices.items():
        parts += [f"## {name}", command.description or "", *_options(command)]
    pages.write("command_line.md", "\n\n".join(parts) + "\n")


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    """Each argument and option as a definition, group by group."""
    formatter = command._get_formatter()
    for group in command._action_groups:
        shown = [each for each in group._group_actions if each.help != argparse.SUPPRESS]
        if shown and group.title not in ("positional arguments", "options"):
            yield f"**{group.title}**"
        for action in shown:
            told = formatter._expand_help(action) if action.help else "…"
            yield f"`{_said(action)}`\n: {_escaped(told)}"


def _said(action: argparse.Action) -> str:
    """As one writes it: ``--epochs N``, or the name of an argument."""
    value = argparse.HelpFormatter("")._format_args(action, _value(action))
    return f"{', '.join(action.option_strings)} {value}".strip()


def _value(action: argparse.Action) -> str:
    if action.choices is not None and action.metavar is None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


def _escaped(text: str) -> str:
    """As Markdown that says what the help says."""
    for sign in "\\*_<[`":
        text = text.replace(sign, "\\" + sign)
    return text
