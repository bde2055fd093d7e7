"""``python -m fastbp sweep``: try many settings, as a TOML file says, and keep the best network."""

import argparse
from math import isnan
from pathlib import Path

import fastbp as fb
from fastbp import plots, runs
from fastbp._counted import counted
from fastbp.cli import _arguments
from fastbp.cli._display import Plain, Silent
from fastbp.cli._stopping import exit_code
from fastbp.datasets import Dataset, Shards
from fastbp.tabular.data import unit
from fastbp.threads import requested
from fastbp.tuning.found import Found
from fastbp.tuning.sweep import read_sweep
from fastbp.tuning.trials import Trial, shown

HELP = "try many settings, as a TOML file says, and keep the best network"
LISTED = 10  # trials, at most, that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    whole, add = _arguments.whole, parser.add_argument
    file_help = (
        "tables [space], [settings], [search] and [data], as in docs/sweep.toml; paths in it begin "
        "in its folder"
    )
    add("file", metavar="FILE.toml", type=Path, help=file_help)
    dask_help = "train on the workers of a Dask scheduler, as in tcp://10.0.0.1:8786"
    add("--dask", metavar="ADDRESS", help=dask_help)
    output_help = (
        "a new or empty folder, or that of the same sweep, which goes on there (default: "
        "runs/TIME-NAME)"
    )
    add("--output", type=Path, metavar="DIR", help=output_help)
    threads_help = "networks that train at a time; no bit depends on it (default: all processors)"
    add("--threads", type=whole(1), metavar="N", help=threads_help)
    _arguments.add_backend(parser)
    add("--no-plots", action="store_true", help="draw no picture")
    add("--quiet", action="store_true", help="show no progress")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Search, and write the folder, with which the same command goes on where it was stopped."""
    sweep = read_sweep(args.file)
    _arguments.choose_backend(args)
    requested(args.threads)  # a wrong FASTBP_NUM_THREADS ends here, before the folder is made
    train, test = sweep.parts()
    show: Silent = Silent() if args.quiet else Plain()
    folder = args.output or runs.new_folder(args.file.stem)
    show.say(f"{train!r}\n-> {folder}")
    how = {"output": folder, "executor": args.dask, "threads": args.threads}
    watcher = Watcher(show)
    with runs.emptied(folder):
        try:
            settings = sweep.search | sweep.settings
            found = fb.search(sweep.space, train, callbacks=watcher, **how, **settings)
        except KeyboardInterrupt as stop:
            _arguments.tell(
                f"stopped; {counted(watcher.ended, 'training')} finished; go on with --output "
                f"{folder}"
            )
            return exit_code(stop)
    found.best_model.save(folder / runs.MODEL)
    if not args.no_plots:
        plots.save(found.plot(), folder / "scores.png")
    _report(args, found, test)
    return 0


class Watcher:
    """Says and counts what ends."""

    def __init__(self, show: Silent) -> None:
        self.show, self.ended = show, 0

    def __call__(self, trial: Trial) -> None:
        """A trial ended, or its part."""
        self.ended += 1
        self.show.say(repr(trial))


def _report(args: argparse.Namespace, found: Found, test: Dataset | Shards | None) -> None:
    """Print the best trials, and how good the best network is on what nothing was chosen by."""
    best = found.best_trial
    figures = {} if test is None else _tested(found, test)
    if args.json:
        about = {"trial": best.number, "params": best.params, "score": best.score}
        facts = {"output": str(found.folder), "metric": found.metric, "best": about}
        _arguments.print_json(facts | {"test": figures, "trials": found.rows()})
        return
    columns = [name for name in best.row() if name != "error"]
    rows = [
        [shown(row[name]) for name in columns]
        for row in (trial.row() for trial in found.ranked()[:LISTED])
    ]
    _arguments.print_table(f"the best of {counted(len(found), 'trial')}", columns, rows)
    said = {f"test {name}": f"{value:.6g}" for name, value in figures.items()}
    _arguments.print_facts("", {"best": repr(best)} | said | {"kept in": str(found.folder)})


def _tested(found: Found, test: Dataset | Shards) -> dict[str, float]:
    """How good the best network is: its accuracy, or of values R² and, in their unit, MAE."""
    net = found.best_model
    good = fb.evaluate(net, test)
    if isnan(good.r2):
        return {"accuracy": good.accuracy}
    return {"r2": good.r2, "mae": good.mae * unit(net.table)}
