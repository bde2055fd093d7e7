"""``python -m fastbp train``: train a network, keep everything about the run in one folder."""

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fastbp as fb
from fastbp.backends import Backend
from fastbp.cli import FAILURE, INTERRUPTED, _arguments, _progress
from fastbp.datasets import Dataset
from fastbp.dense import ACTIVATIONS, LOSSES, dense_network
from fastbp.initializers import NAMES as INITS
from fastbp.initializers import Initializer, Normal
from fastbp.network import Sequential
from fastbp.threads import requested
from fastbp.training import Callback, Epoch

HELP = "train a network and keep its model, history and pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; the defaults are the reports' final classifier."""
    whole, positive = _arguments.whole, _arguments.positive
    _arguments.add_data(parser)
    add = parser.add_argument
    add(
        "--hidden",
        type=_hidden,
        default=(800, 100),
        metavar="800,100",
        help="units of the hidden layers, or 'none' (default: 800,100)",
    )
    add("--activation", choices=ACTIVATIONS, default="tanh", help="(default: %(default)s)")
    add(
        "--loss",
        choices=LOSSES,
        default="hinge",
        help="hinge or cross-entropy on scores, nll on LogSoftmax (default: %(default)s)",
    )
    add("--batch-size", type=whole(1), default=8, metavar="N", help="(default: %(default)s)")
    add("--lr", type=positive, default=0.01, help="learning rate (default: %(default)s)")
    add("--epochs", type=whole(1), default=25, metavar="N", help="(default: %(default)s)")
    add(
        "--init",
        type=_init,
        default=Normal(),
        metavar=f"{{{','.join(INITS)}}}",
        help="how weights start; normal:STD sets its deviation (default: normal:0.001)",
    )
    seed_help = "of the weights and the order of the samples (default: %(default)s)"
    add("--seed", type=whole(0), default=0, metavar="N", help=seed_help)
    add("--dtype", choices=("float32", "float64"), default="float32", help="(default: %(default)s)")
    _arguments.add_backend(parser)
    threads_help = "threads that train; no bit depends on it (default: the fastest, as measured)"
    add("--threads", type=whole(1), metavar="N", help=threads_help)
    add("--limit", type=whole(1), metavar="N", help="train on the first N samples only")
    output_help = "a new or empty folder (default: runs/TIME-NAME)"
    add("--output", type=Path, metavar="DIR", help=output_help)
    add("--no-plots", action="store_true", help="draw no pictures")
    add("--quiet", action="store_true", help="show no progress")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Train, and write the folder: all of it, or what was finished when it stopped."""
    backend = _arguments.choose_backend(args)
    requested(args.threads)  # a wrong FASTBP_NUM_THREADS ends here, before the folder is made
    train, test = _arguments.load_data(args)
    train = train if args.limit is None else train.first(args.limit)
    net = build_network(args, train)
    folder = _make_folder(args.output, net, args)
    _write_config(folder, args, train, test, backend)

    history = fb.History()
    show = _progress.progress(args.epochs, len(train), args.quiet)
    code, ending = 0, ""
    try:
        with show:
            show.say(
                f"{net!r}\n{train!r}\n{backend.name} {backend.detail}, {args.dtype} -> {folder}"
            )
            _fit(args, net, train, test, history, (Recorder(folder, history), show))
    except KeyboardInterrupt:
        code, ending = INTERRUPTED, "stopped"
    except fb.DivergenceError as divergence:
        code, ending = FAILURE, f"error: {divergence}"
    _write_losses(folder, history)
    if code:
        finished = f"finished {len(history.epochs)} of {args.epochs} epochs"
        sys.stderr.write(f"fastbp: {ending}; {finished}; what there is lies in {folder}\n")
        return code
    if not args.no_plots:
        from fastbp.cli._pictures import draw_run

        show.say("drawing pictures")
        draw_run(folder, net, history, test, args.batch_size)
    _report(args, net, history, folder, backend)
    return 0


def _fit(
    args: argparse.Namespace,
    net: Sequential,
    train: Dataset,
    test: Dataset,
    history: fb.History,
    callbacks: tuple[Callback, ...],
) -> None:
    fb.fit(
        net,
        train,
        loss=LOSSES[args.loss](),
        optimizer=fb.SGD(lr=args.lr),
        epochs=args.epochs,
        batch_size=args.batch_size,
        validation=test,
        seed=args.seed,
        callbacks=callbacks,
        history=history,
        threads=args.threads,
    )


def build_network(args: argparse.Namespace, data: Dataset) -> Sequential:
    """The network that the arguments describe, for this data."""
    sizes = [data.features, *args.hidden, data.classes]
    return dense_network(
        sizes, args.activation, args.loss, init=args.init, seed=args.seed, dtype=args.dtype
    )


class Recorder(Callback):
    """Writes history and model after every epoch, so that nothing finished is ever lost."""

    def __init__(self, folder: Path, history: fb.History) -> None:
        self.folder, self.history = folder, history
        history.to_csv(folder / "history.csv")

    def on_epoch_end(self, epoch: Epoch, net: Sequential) -> None:
        """Replace both files, each atomically."""
        with _ctrl_c_held_back():
            net.save(self.folder / "model.safetensors")
            self.history.to_csv(self.folder / "history.csv")


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block: files that belong together stay together."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, say
        yield
        return
    pressed = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


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


def _init(text: str) -> Initializer:
    name, colon, std = text.partition(":")
    if name == "normal" and colon:
        return Normal(_arguments.positive(std))
    if text not in INITS:
        raise argparse.ArgumentTypeError(f"expected {', '.join(INITS)} or normal:STD, got {text!r}")
    return INITS[text]()


def _make_folder(output: Path | None, net: Sequential, args: argparse.Namespace) -> Path:
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()):
            raise ValueError(f"--output {output}: the folder is not empty; name a new one")
        return output
    sizes = "-".join(map(str, [net.inputs, *args.hidden, net.outputs]))
    return _arguments.new_folder(f"{sizes}-{args.activation}-{args.loss}")


def _settings(
    args: argparse.Namespace, train: Dataset, test: Dataset, backend: Backend
) -> dict[str, Any]:
    """Everything that determines the run, as plain data."""
    return {
        "fastbp": fb.__version__,
        "data": {
            "path": args.data or "MNIST, embedded",
            "train_samples": len(train),
            "test_samples": len(test),
            "features": train.features,
            "classes": train.classes,
            "scale": train.scale,
        },
        "network": {
            "hidden": list(args.hidden),
            "activation": args.activation,
            "init": repr(args.init),
            "dtype": args.dtype,
        },
        "training": {
            "loss": args.loss,
            "optimizer": "sgd",
            "lr": args.lr,
            "batch_size": args.batch_size,
            "epochs": args.epochs,
            "seed": args.seed,
        },
        "computation": {"backend": backend.name, "detail": backend.detail},
    }


def _write_config(
    folder: Path, args: argparse.Namespace, train: Dataset, test: Dataset, backend: Backend
) -> None:
    import tomli_w

    from fastbp._files import write_atomically

    settings = _settings(args, train, test, backend)
    write_atomically(folder / "config.toml", lambda file: tomli_w.dump(settings, file))


def _write_losses(folder: Path, history: fb.History) -> None:
    import numpy as np

    from fastbp._files import write_atomically

    losses = history.loss_by_iteration
    write_atomically(
        folder / "loss_by_iteration.npz", lambda file: np.savez_compressed(file, loss=losses)
    )


def _report(
    args: argparse.Namespace, net: Sequential, history: fb.History, folder: Path, backend: Backend
) -> None:
    last, best = history.epochs[-1], max(history.epochs, key=lambda epoch: epoch.test_accuracy)
    if args.json:
        _arguments.print_json(
            {
                "output": str(folder),
                "network": repr(net),
                "parameters": net.params.size,
                "path": history.path,
                "seconds": history.seconds,
                "train_loss": last.train_loss,
                "train_accuracy": last.train_accuracy,
                "test_accuracy": last.test_accuracy,
                "best_test_accuracy": best.test_accuracy,
                "epochs": [asdict(epoch) for epoch in history.epochs],
            }
        )
        return
    _arguments.print_facts(
        "",
        {
            "network": f"{net!r}, {net.params.size:,} parameters",
            "loss": f"{last.train_loss:.4f} (mean of the last epoch)",
            "train accuracy": f"{100 * last.train_accuracy:.2f} %",
            "test accuracy": f"{100 * last.test_accuracy:.2f} % "
            f"(best {100 * best.test_accuracy:.2f} % after epoch {best.epoch})",
            "training time": f"{history.seconds:.3g} s over {args.epochs} epochs, "
            "without evaluation",
            "computed by": f"{history.path}, {args.dtype}",
            "kept in": str(folder),
        },
    )
