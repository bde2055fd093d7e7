"""``python -m fastbp explain``: one step of gradient descent, every number with its formula."""

import argparse
import sys
from pathlib import Path

from fastbp import plots
from fastbp.cli import _arguments
from fastbp.explain.drawing import drawings
from fastbp.explain.example import WORKED_EXAMPLE, read_example
from fastbp.explain.explanation import Explanation, as_text, explain

HELP = "explain one step of a small network, number by number"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        type=Path,
        help="a network as TOML, written like fastbp/explain/worked_example.toml (default: "
        "that one, report B's worked example)",
    )
    what = "the network with its numbers, before and after, into a folder"
    _arguments.add_plot(parser, "explained", what, metavar="DIR")
    _arguments.add_backend(parser)
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the explanation."""
    _arguments.choose_backend(args)
    path = args.file or WORKED_EXAMPLE
    example = read_example(path)
    try:
        told = explain(example)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem
    drawn = _draw(told, args.plot) if args.plot else []
    if args.json:
        _arguments.print_json(_as_data(told) | {"plots": drawn})
        return 0
    sys.stdout.write(as_text(told))
    if drawn:
        sys.stdout.write(f"\ndrawn in {', '.join(drawn)}\n")
    return 0


def _draw(told: Explanation, folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    figures = drawings(told).items()
    return [str(plots.save(figure, folder / f"{name}.png")) for name, figure in figures]


def _as_data(told: Explanation) -> dict[str, object]:
    steps = [
        {
            "step": section,
            "name": quantity.name,
            "formula": quantity.formula,
            "numbers": quantity.numbers,
            "value": quantity.value,
            "text": quantity.text,
            "reported": quantity.reported,
            "matches": quantity.matches,
        }
        for section, quantities in told.sections.items()
        for quantity in quantities
    ]
    return {"title": told.title, "quantities": steps}
