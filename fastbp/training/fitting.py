"""``fit``: what it takes, and the run that it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Never, cast

import numpy.typing as npt

from fastbp._above import FitOptions
from fastbp._checks import as_count, as_flag, as_number, check_kind
from fastbp._files import StrPath
from fastbp.backends import active
from fastbp.datasets import as_data, batch_size_of
from fastbp.engine.epochs import Engine
from fastbp.engine.program import NotExpressible
from fastbp.layers.nesting import places
from fastbp.layers.sizes import check_batch
from fastbp.losses import Loss
from fastbp.network import Sequential
from fastbp.optimizers import Optimizer
from fastbp.optimizers.limits import Limits
from fastbp.schedules import Schedule, as_schedule

from .assessment import Metric, as_metrics
from .callbacks import Hooks, Watcher
from .checkpoint import Checkpoint, Writer, as_checkpoint, check_same, identity
from .exclusive import check_trainable, exclusively
from .history import OF_CLASSES, OF_VALUES, History
from .loop import Run
from .loop import train as train_run
from .parts import as_loss, as_optimizer, refuse_unknown, warn_of_raw_scores
from .progress import progress_for
from .samples import Data
from .stopping import Best, EarlyStopping, as_early_stopping
from .validation import Parts, parted
from .weighting import ClassWeight

BATCH_SIZE = 32  # where nobody says
# What a checkpoint keeps of the options as they are; what is a function it cannot.
KEPT = (
    *("batch_size", "validate_every", "shuffle", "clip_norm", "clip_value", "l2", "max_seconds"),
    *("class_weight", "seed", "fused"),
)


def fit(
    net: Sequential,
    train: Data | npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    loss: Loss | str | None = None,
    optimizer: Optimizer | str | None = None,
    epochs: int = 10,
    batch_size: int | None = None,
    validation: Data | float | None = None,
    validate_every: int = 1,
    metrics: str | Mapping[str, Metric] | None = "epoch",
    class_weight: ClassWeight | None = None,
    sample_weight: npt.ArrayLike | None = None,
    shuffle: bool = True,
    schedule: Schedule | str | Callable[[int], float] | None = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    l2: float = 0.0,
    early_stopping: EarlyStopping | bool | None = None,
    max_seconds: float | None = None,
    checkpoint: Checkpoint | StrPath | None = None,
    progress: bool = False,
    seed: int = 0,
    callbacks: Watcher | Sequence[Watcher] = (),
    history: History | None = None,
    threads: int | None = None,
    fused: bool = True,
    **other: Never,
) -> History:
    """Train a network in place.

    Parameters
    ----------
    net : Sequential
        Trained from where its parameters stand.
    train : Dataset, (x, y), or x with y as the next argument
        Samples and targets, as the loss takes them: labels, probabilities or values. Or a Dataset
        of PyTorch's, or a DataLoader: all samples of its dataset, in an order that is drawn here.
    loss : Loss or str, optional
        What is minimised, e.g. ``fb.HingeLoss()`` or "hinge". Left out, it follows from the
        targets: cross-entropy for classes, binary cross-entropy for two classes from one output or
        rows of yes and no, the mean squared error for values.
    optimizer : Optimizer or str, optional
        How, e.g. ``fb.SGD(lr=0.01)`` or "sgd". Left out, ``fb.Adam()``.
    epochs : int, default 10
    batch_size : int, optional
        32 if left out, or a DataLoader's. The last batch of an epoch is smaller where it does not
        divide the data.
    validation : Dataset, (x, y) or float, optional
        What judges the network: other data, or a share of the training data, 0.1 for a tenth, that
        is kept back and never trained on; of classes each gives its share. Which rows it is
        depends on ``seed`` alone, and stands in ``history.validation_rows``.
    validate_every : int, default 1
        After every so many epochs, and the last one.
    metrics : "epoch", "running", dict or None, default "epoch"
        How the training data are judged: by the network after each epoch, or by the scores that
        its steps found on their way ("running"), which costs no second pass over the data, or not
        at all. A dict of functions ``metric(y, predictions) -> float``, such as
        ``{"f1": f1_score}``, adds columns for the validation data.
    class_weight : "balanced", dict or (classes,) array_like, optional
        What samples of each class count; classes that a dict leaves out count 1. Balanced is
        samples / (classes · samples of the class).
    sample_weight : (n,) array_like, optional
        What each sample counts, >= 0; left out, the Dataset's own. A batch's loss is
        Σ w·l / Σ w: a weight of 2 counts as the sample twice.
    shuffle : bool, default True
        Whether the order of the samples is drawn anew for each epoch, from (seed, epoch).
    schedule : Schedule, str or function, optional
        What the optimiser's rate is multiplied by in each step: one of ``fb.schedules``, its name,
        or a function of the step's number, from 0.
    clip_norm : float, optional
        What the norm of all gradients together is scaled down to where it is larger.
    clip_value : float, optional
        What each gradient is cut to, on both sides of 0. Not together with ``clip_norm``.
    l2 : float, default 0
        λ in the penalty λ/2·Σw² that is added to the loss, of weights alone, not of biases and
        of what norms learn. Unlike ``weight_decay`` it is in the losses that are reported.
    early_stopping : EarlyStopping or bool, optional
        When to end before the last epoch; True for ``fb.EarlyStopping()``.
    max_seconds : float, optional
        How long the training may take, evaluation included. The epoch in which the time is over
        ends there, and counts.
    checkpoint : path or Checkpoint, optional
        The file from which ``fb.resume`` goes on, bit for bit as if nothing had happened.
    progress : bool, default False
        Show a bar on a terminal, a line in a notebook.
    seed : int, default 0
        Of the order of the samples, and of the rows that are kept back.
    callbacks : sequence of Callback
        Or functions that are called with each Epoch, or with it and the network. They may change
        rates, momenta, α, p and all other numbers, which count from the next step on; and in
        ``on_epoch_end`` the parameters. They cannot train this network: that is refused, and so is
        every other fit that would train it, or use this optimiser, meanwhile.
    history : History, optional
        One to continue: its epochs count as done, and ``epochs`` more are added. It is filled
        while training goes on, so it holds the finished epochs after an exception too.
    threads : int, optional
        How many threads train; the results are the same, bit for bit, for any number. Left out,
        it is FASTBP_NUM_THREADS or what is measured to be fastest. In the layered loop it counts
        for the NumPy backend's matrix products only.
    fused : bool, default True
        Run whole epochs on the backend's engine where it has one that can; False for the layered
        loop, which calls the layers one by one. ``history.path`` says which ran, and why.

    Returns
    -------
    History

    Notes
    -----
    What the loss makes of scores is written on the network, ``net.meaning``; see ``predict``.

    Targets are copied. Other threads may predict with the network meanwhile: with the parameters
    of the last finished epoch where an engine trains it, else of some step.

    Raises
    ------
    DivergenceError
        When the loss or a parameter becomes NaN or infinite.
    ValueError, TypeError
        When network, data and loss do not fit together.
    RuntimeError
        When network or optimiser are being trained already.
    OSError
        When a checkpoint cannot be written.

    Examples
    --------
    >>> history = fb.fit(net, x, y)
    >>> history = fb.fit(
    ...     net, train, loss="hinge", optimizer=fb.SGD(lr=0.1), epochs=50, validation=0.1,
    ...     schedule=fb.schedules.Cosine(warm_up=2), early_stopping=fb.EarlyStopping(patience=5),
    ... )
    """
    given = dict(locals())  # first of all, so that these are the arguments alone
    refuse_unknown(other, ("train", "y", *FitOptions.__annotations__))
    history = History() if history is None else history
    for part, kind in ((net, Sequential), (history, History)):
        check_kind(part, kind, "fit")
    data: Any = as_data(train if y is None else (train, y), "train")
    if batch_size is None:
        given["batch_size"] = batch_size_of(train) or BATCH_SIZE
    optimizer = as_optimizer(optimizer)
    with exclusively(net, optimizer):
        options = cast(FitOptions, {name: given[name] for name in FitOptions.__annotations__})
        run = _prepare(net, data, as_loss(loss, net, data), optimizer, history, options)
        run.data.head.write_on(net)
        train_run(run)
    return history


def _prepare(
    net: Sequential,
    data: Data,
    loss: Loss,
    optimizer: Optimizer,
    history: History,
    options: FitOptions,
) -> Run:
    """Check what fit is given, once, and make a run of it."""
    epochs = as_count(options["epochs"], "epochs", least=0 if history.epochs else 1)
    batch_size = as_count(options["batch_size"], "batch_size")
    seed = as_count(options["seed"], "seed", least=0)
    check_trainable(net, "fit")
    weights = options["class_weight"], options["sample_weight"]
    parts = parted(net, data, loss, options["validation"], weights, seed, batch_size)
    history.validation_rows = parts.rows
    check_batch(min(batch_size, len(parts.train)), net.sample_bytes)
    _check_smallest_batch(net, len(parts.train), batch_size)
    seconds = options["max_seconds"]
    run = Run(
        net,
        parts.train,
        parts.validation,
        loss,
        optimizer,
        batch_size,
        len(history.epochs) + epochs,
        seed,
        history,
        Hooks(options["callbacks"]),
        as_metrics(options["metrics"]),
        Limits(options["l2"], options["clip_value"], options["clip_norm"]),
        threads=options["threads"],
        shuffle=as_flag(options["shuffle"], "shuffle"),
        validate_every=as_count(options["validate_every"], "validate_every"),
        max_seconds=None if seconds is None else as_number(seconds, "max_seconds", above=0),
    )
    _watch(run, parts, options)
    run.engine = _engine(run, as_flag(options["fused"], "fused"))
    warn_of_raw_scores(net, loss, run.data.head)
    return run


def _watch(run: Run, parts: Parts, options: FitOptions) -> None:
    """What looks at a run's epochs: schedule, early stopping, checkpoints, progress."""
    state = run.history.state
    run.schedule = as_schedule(options["schedule"])
    rule = as_early_stopping(options["early_stopping"])
    if run.metrics.own and parts.validation is None:
        raise ValueError("fit metrics: functions are for validation data; pass validation=0.1")
    for part in (run.schedule, rule):
        if part is not None and part.monitor:
            _check_monitor(part, run)
    # What went on without a schedule, or with another, has other state.
    start = {} if run.schedule is None else run.schedule.start()
    state["schedule"] = start | state.get("schedule", {})
    if rule is not None:
        run.best = state.get("best")
        if run.best is None or run.best.rule.settings != rule.settings:
            run.best = state["best"] = Best(rule)
        run.best.goes_on()
    if options["progress"]:
        done = len(run.history.epochs)
        run.hooks.add(progress_for(run.epochs, len(parts.train), done + 1))
    if "of" in state or options["checkpoint"] is not None:
        check_same(run.history, identity(run.net, run.optimizer, run.loss, parts.train))
    if options["checkpoint"] is not None:
        checkpoint = as_checkpoint(options["checkpoint"])
        run.writer = Writer(checkpoint, run, _arguments(options))


def _check_monitor(part: Any, run: Run) -> None:
    """Refuse to watch a column that stays empty."""
    column = part.monitor
    of_data = OF_VALUES if run.data.head.meaning.is_values else OF_CLASSES
    known = ("train_loss", *of_data, "lr", "seconds", *run.metrics.own)
    if column not in known:
        raise ValueError(f"{part!r} monitors {column!r}, but the history has {', '.join(known)}")
    if column.startswith("val_") and run.validation is None:
        raise ValueError(
            f"{part!r} monitors {column!r}, but there are no validation data; pass "
            "validation=0.1, a share of the training data, or validation=(x, y), or monitor "
            "'train_loss'"
        )


def _arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of fit that a checkpoint keeps."""
    kept = {name: options[name] for name in KEPT}
    if isinstance(options["validation"], float):  # a share
        kept["validation"] = options["validation"]
    if options["metrics"] is None or isinstance(options["metrics"], str):
        kept["metrics"] = options["metrics"]
    return kept


def _check_smallest_batch(net: Sequential, samples: int, batch_size: int) -> None:
    """Refuse to begin where an epoch's last batch, or every one, is too small for a layer."""
    smallest = samples % batch_size or batch_size
    for name, layer, before, _ in places(net.layers, net.input_shape):
        least = layer.least_batch(before)
        if smallest < least:
            raise ValueError(
                f"fit: layer {name}, {layer!r}, needs at least {least} samples in "
                f"each batch, but with batch_size {batch_size} the last of {samples} samples come "
                f"in a batch of {smallest}; choose another batch_size"
            )


def _engine(run: Run, fused: bool) -> Engine | None:
    """The engine that runs whole epochs, or None for the layered loop; history.path says why."""
    backend, head = f"{active().name} {active().detail}", run.data.head
    try:
        if not fused:
            raise NotExpressible("asked for")
        engine = Engine(
            run.net,
            head.x,
            head.target,
            head.scale,
            run.loss,
            run.optimizer,
            run.batch_size,
            run.threads,
            head.weights,
            limits=run.limits,
            samples=len(run.data),
        )
    except MemoryError as problem:
        raise MemoryError(
            f"fit: batch_size {run.batch_size} needs {problem}; take a smaller one"
        ) from None
    except NotExpressible as reason:
        run.history.path = f"{backend}, layered ({reason})"
        return None
    run.history.path = f"{backend}, fused"
    return engine
