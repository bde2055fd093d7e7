"""``python -m fastbp train``: train a network, keep everything about the run in one folder."""

import argparse
import sys
from pathlib import Path
from typing import Any

import fastbp as fb
from fastbp import models, runs
from fastbp.backends import Backend
from fastbp.cli import _arguments, _settings, _tables
from fastbp.cli._arguments import USAGE
from fastbp.cli._several import SeveralTraining
from fastbp.cli._training import Training
from fastbp.datasets import Dataset, Shards
from fastbp.layers import ACTIVATIONS, NORMALIZATIONS
from fastbp.layers.initializers import NAMES as INITS
from fastbp.meaning import meaning_of
from fastbp.models import DENSE, Model
from fastbp.recording import CHECKPOINT, kept
from fastbp.tabular.data import TEST_SHARE
from fastbp.tabular.folds import checked_folds, cross_validated
from fastbp.tabular.several import Several
from fastbp.threads import requested

HELP = "train a network and keep its model, history and pictures"


# What the options below override: the model's, by the same names.
OVERRIDES = (*_settings.NAMES, "init", "dtype")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; where they are left out, the model says."""
    _arguments.add_data(parser, classes_alone=True)
    _arguments.add_memory(parser)
    values_help = "the --label column, or y, is no class but a number to predict"
    parser.add_argument("--values", "--regression", action="store_true", help=values_help)
    _tables.add_table(parser)
    _add_network(parser)
    _settings.add_training(parser)
    _add_start(parser)
    _settings.add_settings(parser)
    _arguments.add_backend(parser)
    whole, add = _arguments.whole, parser.add_argument
    threads_help = "threads that train; no bit depends on it (default: the fastest, as measured)"
    add("--threads", type=whole(1), metavar="N", help=threads_help)
    add("--limit", type=whole(1), metavar="N", help="train on the first N samples only")
    output_help = "a new or empty folder (default: runs/TIME-NAME)"
    add("--output", type=Path, metavar="DIR", help=output_help)
    resume_help = "go on with a run that was stopped; with its --data and --limit"
    add("--resume", type=Path, metavar="DIR", help=resume_help)
    add("--no-plots", action="store_true", help="draw no pictures")
    add("--quiet", action="store_true", help="show no progress")
    _arguments.add_json(parser)


def _add_network(parser: argparse.ArgumentParser) -> None:
    """What is trained."""
    add = parser.add_argument
    add(
        "--model",
        type=_model_name,
        metavar="MODEL",
        help=f"{', '.join(models.NAMED)}, or a TOML file written like those in fastbp/models; "
        "a run's config.toml, with its --data and --limit, repeats the run (default: dense)",
    )
    add(
        "--hidden",
        type=_hidden,
        metavar="800,100",
        help="units of the hidden layers, or 'none', in place of a --model (default: 800,100)",
    )
    activation_help = "what is between those, in place of a --model (default: tanh)"
    add("--activation", choices=ACTIVATIONS, help=activation_help)
    norm_help = "a norm before each of those, in place of a --model (default: none)"
    add("--normalization", choices=NORMALIZATIONS, help=norm_help)


def _add_start(parser: argparse.ArgumentParser) -> None:
    """How a network starts."""
    parser.add_argument(
        "--init",
        type=_init,
        metavar=f"{{{','.join(INITS)}}}",
        help="how weights start; normal:STD sets its deviation" + _settings.of_named("init"),
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), help="(default: float32)")


def run(args: argparse.Namespace) -> int:
    """Train, and write the folder: all of it, or what was finished when it stopped."""
    if clash := _clash(args):
        sys.stderr.write(f"python -m fastbp train: error: {clash}\n")
        return USAGE
    _tables.check_options(args)
    backend = _arguments.choose_backend(args)
    requested(args.threads)  # a wrong FASTBP_NUM_THREADS ends here, before the folder is made
    work = _work(args, backend)
    show = work.display(args.quiet)
    computed = f"{backend.name} {backend.detail}, {work.dtype}"
    heading = f"{work.heading}\n{computed} -> {work.folder}"
    if code := work.train(show, heading, args.threads):
        return code
    if not args.no_plots:
        show.say("drawing pictures")
        work.draw()
    work.report(args.json)
    return 0


def _work(args: argparse.Namespace, backend: Backend) -> Any:
    """A Training, or of several networks a SeveralTraining."""
    if args.resume is not None:
        return _resumed(args)
    is_table = args.memory is None and _tables.is_table(args)
    return _of_table(args) if is_table else _begun(args, backend)


def _clash(args: argparse.Namespace) -> str:
    """What is wrong with options that do not go together; "" if nothing is."""
    dense = [name for name in DENSE if getattr(args, name) is not None]
    if args.model and dense:
        return f"--{dense[0]} describes a dense network: it does not go with --model"
    others = ("model", "output", *_tables.MANY, *DENSE, *OVERRIDES, *_settings.of_parts())
    given = [name for name in others if getattr(args, name) is not None]
    if args.resume and given:
        option = _settings.option(given[0])
        return f"--resume goes on with what the folder says: {option} does not go with it"
    return ""


def _begun(args: argparse.Namespace, backend: Backend) -> Training:
    """A new training, whose folder has its config.toml."""
    train, test = _loaded(args, args.values)
    model = chosen_model(args)
    outputs = model.outputs_for(train)
    model = model.fitted(train.features, outputs)
    net = model.build(train.features, outputs)
    name = model.name if args.model else _dense_name(model)
    folder = make_folder(args.output, f"{name}-{model.loss}")
    config = runs.config_of(model, args.data, train, test, backend)
    return Training(net, train, test, folder, kept(model.fit_arguments(), folder), config=config)


def _of_table(args: argparse.Namespace) -> Training | SeveralTraining:
    """A new training on a table, of one network or several, after it is cross-validated."""
    task, crossed = _tables.task_of(args), None
    several = Several(task)
    if args.cv is not None:
        checked_folds(task, args.cv)
    name = f"{task.source.partition('.')[0]}-{task.prepared.table.label.name}"
    folder = make_folder(args.output, name)
    if args.cv is not None:
        if not args.quiet:
            _arguments.tell(f"cross-validating with {args.cv} parts")
        with runs.emptied(folder):
            crossed = cross_validated(task, args.cv, args.threads)
        folder.mkdir(exist_ok=True)
    if task.networks > 1:
        return SeveralTraining(several, folder, crossed)
    arguments = kept(task.model.fit_arguments(), folder)
    parts = (several.jobs[0].net, task.train, task.test, folder, arguments)
    return Training(*parts, config=task.config(), crossed=crossed)


def _resumed(args: argparse.Namespace) -> Training:
    """One that goes on in its folder, from the last epoch that was finished, were it the last."""
    if runs.networks_in(args.resume / runs.CONFIG) > 1:
        raise ValueError(
            f"--resume {args.resume}: several networks were trained there, side by side, which "
            "keep no checkpoint: train them anew"
        )
    going = fb.resume(args.resume / CHECKPOINT)
    train: Dataset | Shards
    test: Dataset | Shards | None
    if args.memory is None and _tables.is_table(args):
        prepared = _tables.prepared_again(args, going.net.table)
        train, test = prepared.train, prepared.test
        train = train if args.limit is None else train.first(args.limit)
    else:
        train, test = _loaded(args, not meaning_of(going.net).is_classes)
    done = len(going.history)
    return Training(going.net, train, test, args.resume, going.arguments, done)


def _loaded(
    args: argparse.Namespace, values: bool
) -> tuple[Dataset, Dataset] | tuple[Shards, Shards]:
    """Training and test data; of data on disk a seventh of each block tests."""
    if args.memory is not None:
        said = True if values else False if args.classes else None
        return _arguments.load_shards(args, said).split(TEST_SHARE)
    train, test = _arguments.load_data(args, values)
    return train if args.limit is None else train.first(args.limit), test


def chosen_model(args: argparse.Namespace) -> Model:
    """The model that the arguments describe."""
    return models.asked_for(vars(args), _settings.option)


def make_folder(output: Path | None, name: str) -> Path:
    """The folder that was asked for, or a new one of that name."""
    return runs.new_folder(name) if output is None else runs.named_folder(output)


def _hidden(text: str) -> tuple[int, ...]:
    if text.strip().lower() in {"", "none"}:
        return ()
    try:
        sizes = tuple(int(size) for size in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes like 800,100, or none; got {text!r}")
    return sizes


def _init(text: str) -> str:
    name, colon, std = text.partition(":")
    if name == "normal" and colon:
        _arguments.positive(std)
    elif text not in INITS:
        raise argparse.ArgumentTypeError(f"expected {', '.join(INITS)} or normal:STD, got {text!r}")
    return text


def _model_name(text: str) -> str:
    if text not in models.NAMED and not Path(text).exists():
        known = ", ".join(models.NAMED)
        raise argparse.ArgumentTypeError(f"expected {known} or a TOML file; there is no {text!r}")
    return text


def _dense_name(model: Model) -> str:
    """The sizes of a dense network, and what is between them, as its folder is called."""
    outputs = [row["outputs"] for row in model.layers if "outputs" in row]
    kinds = {row["type"].lower() for row in model.layers}
    between = [name for name in ACTIVATIONS if name in kinds]
    return "-".join(map(str, [model.layers[0]["inputs"], *outputs, *between]))
