"""``python -m fastbp experiment``: reproduce the reports' experiments, and write a report page."""

import argparse
import sys
from pathlib import Path
from typing import Any

from fastbp._counted import counted
from fastbp.cli import _arguments
from fastbp.cli._arguments import USAGE
from fastbp.cli._experiments import display
from fastbp.cli._stopping import exit_code
from fastbp.experiments import EXPERIMENTS, find
from fastbp.experiments.claims import FAILS, HOLDS, NOT_JUDGED, UNDECIDED
from fastbp.experiments.measures import LOSS, TEST_ACCURACY, TRAIN_ACCURACY
from fastbp.experiments.page.content import Report, Section, clock
from fastbp.experiments.reproduce import open_folder, reproduce, write_docs
from fastbp.experiments.runner import Settings
from fastbp.experiments.spec import Experiment
from fastbp.experiments.summary import mean_and_spread
from fastbp.runs import new_folder
from fastbp.threads import requested

HELP = "reproduce the reports' experiments and write a report page"

WORDS = (HOLDS, FAILS, UNDECIDED)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    whole, add = _arguments.whole, parser.add_argument
    names_help = "experiments by name or by row, as in activations or B.1; all; list, to see them"
    add("names", metavar="NAME", nargs="+", type=_name, help=names_help)
    epochs_help = "train every network for N epochs (default: the reports' numbers)"
    add("--epochs", type=whole(1), metavar="N", help=epochs_help)
    add("--limit", type=whole(1), metavar="N", help="use the first N training and test images")
    seeds_help = "train every network N times, with other seeds (default: %(default)s)"
    add("--seeds", type=whole(1), default=1, metavar="N", help=seeds_help)
    output_help = "a new or empty folder (default: runs/TIME-experiments)"
    add("--output", type=Path, metavar="DIR", help=output_help)
    resume_help = "go on with what --output holds: what is finished and whole is not trained again"
    add("--resume", action="store_true", help=resume_help)
    docs_help = "also write the report as DIR/experiments.md, with its pictures, for a repository"
    add("--docs", type=Path, metavar="DIR", help=docs_help)
    _arguments.add_backend(parser)
    add("--quiet", action="store_true", help="show no progress")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the experiments, or run them."""
    if "list" in args.names:
        return _list(args)
    if args.resume and args.output is None:
        return _usage("--resume needs the --output to go on with")
    _arguments.choose_backend(args)
    requested()  # a wrong FASTBP_NUM_THREADS ends here
    settings = Settings(args.epochs, args.limit, args.seeds)
    chosen = EXPERIMENTS if "all" in args.names else tuple(map(find, args.names))
    experiments = tuple(dict.fromkeys(chosen))
    root = args.output or new_folder("experiments")
    if not open_folder(root, settings, args.resume) and args.resume:
        _arguments.tell(f"--resume: nothing to go on with in {root}; starting afresh")
    watcher = display(args.quiet)
    try:
        with watcher:
            report = reproduce(experiments, settings, root, watcher)
            if args.docs:
                write_docs(report, args.docs)
    except KeyboardInterrupt as stop:
        _arguments.tell(
            f"stopped; {watcher.done} of {watcher.wanted} networks are finished; "
            f"go on with --output {root} --resume"
        )
        return exit_code(stop)
    if args.json:
        _arguments.print_json(_as_data(report, root))
    else:
        _print(report, root)
    return 0


def _name(text: str) -> str:
    if text not in ("all", "list"):
        try:
            find(text)
        except ValueError as problem:
            raise argparse.ArgumentTypeError(str(problem)) from None
    return text


def _usage(message: str) -> int:
    sys.stderr.write(f"python -m fastbp experiment: error: {message}\n")
    return USAGE


def _list(args: argparse.Namespace) -> int:
    if len(args.names) > 1:
        return _usage("list goes alone")
    if args.json:
        rows = [_listed(experiment) for experiment in EXPERIMENTS]
        _arguments.print_json({"experiments": rows})
        return 0
    facts = {}
    for experiment in EXPERIMENTS:
        count = len(experiment.variants)
        networks = f", {counted(count, 'network')}" if count else ""
        facts[experiment.name] = f"{experiment.row:<10}  {experiment.title}{networks}"
    _arguments.print_facts("the reports' experiments", facts)
    return 0


def _listed(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "row": experiment.row,
        "title": experiment.title,
        "setting": experiment.setting,
        "reported": experiment.reported,
        "networks": [variant.network.key for variant in experiment.variants],
    }


def _print(report: Report, root: Path) -> None:
    rows = []
    for section in report.sections:
        words = [verdict.word for verdict in section.verdicts]
        counts = " / ".join(str(words.count(word)) for word in WORDS) if words else "-"
        counts = NOT_JUDGED if NOT_JUDGED in words else counts
        seconds = clock(section.outcome.seconds) if section.outcome.runs else "-"
        name, row = section.experiment.name, section.experiment.row
        rows.append([name, row, seconds, _best(section), counts])
    columns = ["experiment", "row", "training", "best test", "hold / fail / noise"]
    _arguments.print_table(report.duration(), columns, rows)
    sys.stdout.write(f"the report: {root / 'report' / 'index.html'}\n")


def _best(section: Section) -> str:
    """The highest test accuracy of a variant."""
    outcome = section.outcome
    means = [mean_and_spread(outcome.values(label, TEST_ACCURACY))[0] for label in outcome.runs]
    found = [mean for mean in means if isinstance(mean, float)]
    return TEST_ACCURACY.text(max(found)) if found else "-"


def _as_data(report: Report, root: Path) -> dict[str, Any]:
    return {
        "output": str(root),
        "report": str(root / "report" / "index.html"),
        "seconds": report.seconds,
        "trained": report.networks - report.found,
        "experiments": [_section(section) for section in report.sections],
    }


def _section(section: Section) -> dict[str, Any]:
    outcome = section.outcome
    variants = {}
    for label in outcome.runs:
        measures = {"loss": LOSS, "train_accuracy": TRAIN_ACCURACY, "test_accuracy": TEST_ACCURACY}
        means = {
            name: mean_and_spread(outcome.values(label, measure))[0]
            for name, measure in measures.items()
        }
        variants[label] = {name: None if mean == "" else mean for name, mean in means.items()}
        variants[label]["diverged"] = sum(outcome.diverged(label))
    return {
        "name": section.experiment.name,
        "row": section.experiment.row,
        "training_seconds": outcome.seconds,
        "variants": variants,
        "claims": [verdict._asdict() for verdict in section.verdicts],
    }
