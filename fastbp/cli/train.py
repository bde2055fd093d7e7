"""``python -m fastbp train``: train a network, keep everything about the run in one folder."""

import argparse
import sys
from pathlib import Path

import fastbp as fb
from fastbp import models, run_pictures, runs
from fastbp._checks import as_dtype
from fastbp.cli import _arguments, _outcome, _progress, _settings
from fastbp.cli._arguments import FAILURE, USAGE
from fastbp.cli._stopping import exit_code
from fastbp.datasets import Dataset
from fastbp.layers import ACTIVATIONS, NORMALIZATIONS
from fastbp.layers.initializers import NAMES as INITS
from fastbp.losses import LOSSES
from fastbp.models import Model
from fastbp.network import Sequential
from fastbp.optimizers import OPTIMIZERS
from fastbp.threads import requested
from fastbp.training import Callback

HELP = "train a network and keep its model, history and pictures"


# What the options below override: the model's, by the same names.
OVERRIDES = ("loss", "optimizer", "batch_size", "lr", "epochs", "init", "seed", "dtype")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; where they are left out, the model says."""
    _arguments.add_data(parser)
    values_help = "the --label column, or y, is no class but a number to predict"
    parser.add_argument("--values", action="store_true", help=values_help)
    _add_network(parser)
    _add_training(parser)
    _settings.add_settings(parser)
    _arguments.add_backend(parser)
    whole, add = _arguments.whole, parser.add_argument
    threads_help = "threads that train; no bit depends on it (default: the fastest, as measured)"
    add("--threads", type=whole(1), metavar="N", help=threads_help)
    add("--limit", type=whole(1), metavar="N", help="train on the first N samples only")
    output_help = "a new or empty folder (default: runs/TIME-NAME)"
    add("--output", type=Path, metavar="DIR", help=output_help)
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


def _add_training(parser: argparse.ArgumentParser) -> None:
    """How it is trained."""
    whole, positive, add = _arguments.whole, _arguments.positive, parser.add_argument
    named = {name: models.read(name) for name in models.NAMED}
    loss_help = (
        "of scores; nll of LogSoftmax, which is added; bce tells two classes apart by one output; "
        "mse, l1 and huber of 1 for the class, 0 for others, or with --values of the values"
    )
    add("--loss", choices=LOSSES, help=loss_help + _defaults(named, "loss"))
    optimizer_help = "how parameters follow the gradient" + _defaults(named, "optimizer")
    add("--optimizer", choices=OPTIMIZERS, help=optimizer_help)
    add(
        "--batch-size",
        type=whole(1),
        metavar="N",
        help="samples a step" + _defaults(named, "batch_size"),
    )
    add("--lr", type=positive, help="learning rate" + _defaults(named, "lr"))
    add(
        "--epochs",
        type=whole(1),
        metavar="N",
        help="times through the data" + _defaults(named, "epochs"),
    )
    add(
        "--init",
        type=_init,
        metavar=f"{{{','.join(INITS)}}}",
        help="how weights start; normal:STD sets its deviation" + _defaults(named, "init"),
    )
    seed_help = "of the weights and the order of the samples (default: 0)"
    add("--seed", type=whole(0), metavar="N", help=seed_help)
    add("--dtype", choices=("float32", "float64"), help="(default: float32)")


def run(args: argparse.Namespace) -> int:
    """Train, and write the folder: all of it, or what was finished when it stopped."""
    dense = {
        "--hidden": args.hidden is not None,
        "--activation": args.activation,
        "--normalization": args.normalization,
    }
    if args.model and any(dense.values()):
        other = next(option for option, given in dense.items() if given)
        sys.stderr.write(
            f"python -m fastbp train: error: {other} describes a dense network: it does not go "
            "with --model\n"
        )
        return USAGE
    backend = _arguments.choose_backend(args)
    requested(args.threads)  # a wrong FASTBP_NUM_THREADS ends here, before the folder is made
    model = chosen_model(args)
    train, test = _arguments.load_data(args, args.values)
    train = train if args.limit is None else train.first(args.limit)
    outputs = _outputs(model, train)
    model = model.fitted(train.features, outputs)
    net = model.build(train.features, outputs)
    folder = make_folder(args.output, model, "" if args.model else _dense_name(model))
    runs.write_config(folder, model, args.data, train, test, backend)

    history = fb.History()
    show = _progress.display(model.epochs, len(train), args.quiet)
    code, ending = 0, ""
    try:
        with show:
            show.say(
                f"{net!r}\n{train!r}\n{backend.name} {backend.detail}, {net.dtype} -> {folder}"
            )
            _fit(args, model, net, train, test, history, (runs.Recorder(folder, history), show))
    except KeyboardInterrupt as stop:
        code, ending = exit_code(stop), "stopped"
    except fb.DivergenceError as divergence:
        code, ending = FAILURE, f"error: {divergence}"
    finally:
        with runs.signals_held_back():
            runs.write_losses(folder, history)
    if code:
        finished = f"finished {len(history.epochs)} of {model.epochs} epochs"
        _arguments.tell(f"{ending}; {finished}; what there is lies in {folder}")
        return code
    if not args.no_plots:
        show.say("drawing pictures")
        run_pictures.draw(folder, net, history, test, model.batch_size)
    _report(args, net, history, folder)
    return 0


def _outputs(model: Model, train: Dataset) -> int:
    """Those that loss and data take; what does not go together ends before there is a folder."""
    loss, kind = model.make_loss(), "values" if train.values else "classes"
    try:
        outputs = train.targets if train.values else loss.outputs_for(train.classes)
        loss.check_target(train.y, len(train), outputs, as_dtype(model.dtype))
    except (TypeError, ValueError) as problem:
        advice = "" if train.values else "; --values reads them as numbers"
        raise ValueError(
            f"loss {model.loss} does not go with data of {kind}: {problem}{advice}"
        ) from None
    return outputs


def _fit(
    args: argparse.Namespace,
    model: Model,
    net: Sequential,
    train: Dataset,
    test: Dataset,
    history: fb.History,
    callbacks: tuple[Callback, ...],
) -> None:
    fb.fit(
        net,
        train,
        loss=model.make_loss(),
        optimizer=model.make_optimizer(),
        epochs=model.epochs,
        batch_size=model.batch_size,
        validation=test,
        seed=model.seed,
        callbacks=callbacks,
        history=history,
        threads=args.threads,
    )


def chosen_model(args: argparse.Namespace) -> Model:
    """The model that the arguments describe."""
    given = {name: getattr(args, name) for name in OVERRIDES}
    dense = args.hidden, args.activation, args.normalization
    model = models.described(args.model, *dense, **given)
    return _settings.with_settings(model, args)


def make_folder(output: Path | None, model: Model, name: str = "") -> Path:
    """The folder that was asked for, or a new one, named after the model unless it has a name."""
    if output is None:
        return runs.new_folder(f"{name or model.name}-{model.loss}")
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise ValueError(f"--output {output}: the folder is not empty; name a new one")
    return output


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


def _defaults(named: dict[str, Model], setting: str) -> str:
    """What the named models have, for --help."""
    values = [f"{name} {getattr(model, setting)}" for name, model in named.items()]
    return f" (default: the model's; {', '.join(values)})"


def _report(args: argparse.Namespace, net: Sequential, history: fb.History, folder: Path) -> None:
    if args.json:
        _arguments.print_json(
            {
                "output": str(folder),
                "network": repr(net),
                "parameters": net.params.size,
                "path": history.path,
                "seconds": history.seconds,
                **_outcome.as_data(history),
                "epochs": history.rows(),
            }
        )
        return
    _arguments.print_facts(
        "",
        {
            "network": f"{net!r}, {net.params.size:,} parameters",
            "loss": f"{history.epochs[-1].train_loss:.4f} (mean of the last epoch)",
            **_outcome.as_facts(history),
            "training time": f"{history.seconds:.3g} s over {len(history.epochs)} epochs, "
            "without evaluation",
            "computed by": f"{history.path}, {net.dtype}",
            "kept in": str(folder),
        },
    )
