"""Kills fastbp at random moments, and looks at what is there then.

    python tests/harness/kills.py --kills 200 --seed 1

Five things are killed in turn: ``train`` (model, history and settings are whole, and belong
together), ``experiment --resume`` until it ends (in the end the same bits as undisturbed), a
training that goes on from its checkpoint until it ends (likewise), a search that goes on in its
folder (likewise, by threads and by processes), and saving in a loop (the old file or the new one,
whole). Exit code 1 if anything is wrong.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import workers

import fastbp as fb
from fastbp import models

FASTBP = (sys.executable, "-m", "fastbp")
LIMIT = 600  # MNIST samples that train
TRAIN = (
    *("train", "--limit", str(LIMIT), "--hidden", "16", "--epochs", "100000", "--batch-size", "16"),
    *("--quiet", "--no-plots", "--output"),
)
EXPERIMENT = (
    *("experiment", "simple-activations", "--epochs", "3", "--limit", "200"),
    *("--quiet", "--resume", "--output"),
)
AHEAD = 500  # epochs that a second may have at most
TRIES = 12  # kills of one experiment, after which it may end
GO_ON = """
import os, sys
import numpy as np
import fastbp as fb
rng = np.random.default_rng(0)
x = rng.normal(size=(600, 20))
y = (x @ rng.normal(size=(20, 3))).argmax(axis=1)
folder, backend, fused = sys.argv[1:]
fb.use_backend(backend)
path = folder + "/checkpoint.safetensors"
if os.path.exists(path):
    net = (going := fb.resume(path)).net
    going.fit(x, y)
else:
    layers = fb.Linear(20, 64), fb.BatchNorm1d(64), fb.ReLU(), fb.Dropout(0.1), fb.Linear(64, 3)
    net = fb.Sequential(*layers)
    fb.fit(
        *(net, x, y), epochs=150, validation=0.1, schedule="cosine", class_weight="balanced",
        early_stopping=fb.EarlyStopping(patience=140), checkpoint=path, fused=fused == "fused",
    )
net.save(folder + "/end.safetensors")
"""
SEARCH = """
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
import numpy as np
import fastbp as fb
folder, backend, who = sys.argv[1:]
fb.use_backend(backend)
rng = np.random.default_rng(0)
x = rng.normal(size=(600, 20))
y = (x @ rng.normal(size=(20, 3))).argmax(axis=1)
space = {"lr": fb.space.loguniform(1e-4, 1e-1), "hidden": [8, 32, (16, 8)]}
fork = lambda workers: ProcessPoolExecutor(workers, get_context("fork"))
with (fork if who == "processes" else ThreadPoolExecutor)(2) as pool:
    found = fb.search(
        *(space, x, y), method="halving", n_trials=18, epochs=18, optimizer="adam",
        schedule="cosine", early_stopping=15, output=folder + "/found", executor=pool,
    )
with open(folder + "/end.txt", "w") as file:
    for trial in found:
        digest = sha256(found.model(trial).params.tobytes()).hexdigest()
        print(trial.row() | {"seconds": 0}, digest, file=file)
"""
# What goes on where it was killed: its program, and the ways of it.
TRAIN_WAYS = (("cython", "fused"), ("numpy", "layered"), ("cython", "layered"), ("numba", "fused"))
SEARCH_WAYS = (("cython", "threads"), ("cython", "processes"), ("numpy", "processes"))
KINDS = ("saving", "training", "experiment", "going-on", "search")
GOING_ON = {"going-on": (GO_ON, TRAIN_WAYS), "search": (SEARCH, SEARCH_WAYS)}
SAVE = """
import sys
import fastbp as fb
nets = [fb.Sequential(fb.Linear(300, 200), fb.Tanh(), seed=seed) for seed in (0, 1)]
for n, net in enumerate(nets):
    net.save(f"{sys.argv[1]}/{n}.safetensors")
print("ready", flush=True)
while True:
    for net in nets:
        net.save(f"{sys.argv[1]}/model.safetensors")
"""


def start(arguments: Sequence[str | Path], log: Path) -> subprocess.Popen:
    """Start a command, in a group of its own; what it says goes to a file."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with log.open("ab") as file:
        return subprocess.Popen(
            list(map(str, arguments)),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": path, "FASTBP_NUM_THREADS": "1"},
        )


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 60) -> bool:
    """Whether a file appears while the process runs."""
    end = time.monotonic() + seconds
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return path.exists()


def kill(process: subprocess.Popen, seconds: float) -> bool:
    """Kill a process after a while; whether it still ran."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


# Training


def kill_training(folder: Path, random: Random) -> list[str]:
    """What is wrong with the folder of a training that was killed."""
    run, log = folder / "run", folder / "log"
    process = start([*FASTBP, *TRAIN, run], log)
    if random.random() < 0.8:
        wait_for(run / "model.safetensors", process)
    if not kill(process, random.random() * 0.7):
        return [f"it ended by itself: {log.read_text()[-300:]}"]
    return look_at_training(run)


def look_at_training(run: Path) -> list[str]:
    """Compare with the same training, done here."""
    if (run / "config.toml").exists():
        models.read(str(run / "config.toml"))
    elif run.exists() and any(p for p in run.iterdir() if not p.name.startswith(".")):
        return ["there are files, but no config.toml"]
    rows = []
    if (run / "history.csv").exists():
        with (run / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    path = run / "model.safetensors"
    if not path.exists():
        return ["a history without its model"] if rows else []
    net = fb.load(path)
    train, test = fb.datasets.mnist()
    model = models.read(str(run / "config.toml"))
    wanted = model.build(train.features, train.classes)
    states: list[np.ndarray] = []
    how = {
        "loss": model.make_loss(),
        "optimizer": model.make_optimizer(),
        "batch_size": model.batch_size,
        "seed": model.seed,
        "callbacks": [_Keep(states)],
    }
    history = fb.fit(wanted, train.first(LIMIT), epochs=len(rows) + 1, **how)
    wrong = []
    for row, epoch in zip(rows, history.epochs, strict=False):
        if (int(row["epoch"]), float(row["train_loss"])) != (epoch.epoch, epoch.train_loss):
            wrong.append(f"history.csv: {row} is not {epoch}")

    # Of two files one is written first: the model may be a second's epochs ahead of the history.
    def is_one_of_them() -> bool:
        return any(np.array_equal(net.params, state) for state in states[max(len(rows) - 1, 0) :])

    if not is_one_of_them():
        fb.fit(wanted, train.first(LIMIT), epochs=AHEAD, history=history, **how)
        if not is_one_of_them():
            wrong.append(f"the model is neither that of epoch {len(rows)} nor of one soon after")
    if rows and np.array_equal(net.params, states[len(rows) - 1]):
        accuracy = fb.evaluate(net, test).accuracy
        if accuracy != float(rows[-1]["val_accuracy"]):
            wrong.append(f"test accuracy {accuracy}, but {rows[-1]}")
    return wrong


class _Keep(fb.Callback):
    """Keeps the parameters after each epoch."""

    def __init__(self, states: list[np.ndarray]) -> None:
        self.states = states

    def on_epoch_end(self, epoch: object, net: fb.Sequential) -> None:
        self.states.append(net.params.copy())


# Experiments


def results(folder: Path) -> dict[str, bytes]:
    """What an experiment came to, without what tells how long it took."""
    kept = ("model.safetensors", "loss_by_iteration.npz")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in kept
        for path in sorted(folder.glob(f"networks/**/{name}"))
    }


def undisturbed(folder: Path) -> dict[str, bytes]:
    """The results of an experiment that nobody kills."""
    process = start([*FASTBP, *EXPERIMENT, folder / "calm"], folder / "log")
    if process.wait() != 0:
        raise RuntimeError((folder / "log").read_text())
    return results(folder / "calm")


def kill_experiment(
    folder: Path, random: Random, calm: dict[str, bytes], longest: float, most: int
) -> tuple[int, list[str]]:
    """Kill and resume an experiment until it ends: how many kills, and what is wrong."""
    kills = 0
    command = [*FASTBP, *EXPERIMENT, folder / "run"]
    while kills < min(most, TRIES):
        if not kill(start(command, folder / "log"), longest * random.random()):
            break  # it came to its end, or failed, as the next one will say
        kills += 1
    if start(command, folder / "log").wait() != 0:
        return kills, [f"it cannot go on: {(folder / 'log').read_text()[-300:]}"]
    found = results(folder / "run")
    wrong = [name for name in calm.keys() | found.keys() if calm.get(name) != found.get(name)]
    wrong = [f"{name} differs from the undisturbed run" for name in sorted(wrong)]
    page = folder / "run" / "report" / "index.html"
    return kills, wrong if page.exists() else [*wrong, "there is no report"]


# A training with checkpoints, and a search in its folder


def going_on(folder: Path, program: str, way: tuple[str, str]) -> list[str | Path]:
    """The command that begins, or goes on, to the end: with a backend, in a way."""
    return [sys.executable, "-c", program, folder, *way]


def end_of(folder: Path) -> bytes:
    """What it wrote when it was done."""
    (path,) = folder.glob("end.*")
    return path.read_bytes()


@cache
def undisturbed_end(program: str, way: tuple[str, str]) -> tuple[bytes, float]:
    """That of one that nobody kills, and how long it takes."""
    with tempfile.TemporaryDirectory() as name:
        folder, began = Path(name), time.monotonic()
        if start(going_on(folder, program, way), folder / "log").wait() != 0:
            raise RuntimeError((folder / "log").read_text())
        return end_of(folder), time.monotonic() - began


def kill_going_on(
    folder: Path, random: Random, program: str, way: tuple[str, str], most: int
) -> tuple[int, list[str]]:
    """Kill it and let it go on until it ends: how many kills, and what is wrong."""
    calm, longest = undisturbed_end(program, way)
    kills, command = 0, going_on(folder, program, way)
    while kills < min(most, TRIES):
        if not kill(start(command, folder / "log"), longest * random.random()):
            break  # it came to its end, or failed, as the next one will say
        kills += 1
    if start(command, folder / "log").wait() != 0:
        return kills, [f"it cannot go on: {(folder / 'log').read_text()[-300:]}"]
    same = end_of(folder) == calm
    return kills, [] if same else [f"{way}: not what an undisturbed run comes to"]


# Saving


def kill_saving(folder: Path, random: Random) -> list[str]:
    """What is wrong with a file that was being replaced again and again."""
    process = start([sys.executable, "-c", SAVE, folder], folder / "log")
    wait_for(folder / "model.safetensors", process)
    if not kill(process, random.random() * 0.2):
        return [f"it ended by itself: {(folder / 'log').read_text()[-300:]}"]
    data = (folder / "model.safetensors").read_bytes()
    if data not in [(folder / f"{n}.safetensors").read_bytes() for n in (0, 1)]:
        return [f"the file is neither of the two: {len(data)} bytes"]
    fb.load(folder / "model.safetensors")
    return []


def kills(count: int, seed: int, root: Path) -> list[str]:
    """Kill so often, in turn; what is wrong, each with where it lies."""
    random = Random(seed)
    began = time.monotonic()
    calm = undisturbed(root)
    longest = time.monotonic() - began
    found, done, turn = [], 0, 0
    while done < count:
        kind = KINDS[turn % len(KINDS)]
        folder = root / f"{turn}-{kind}"
        folder.mkdir()
        killed, most = 1, min(TRIES, max(2, count // 3), count - done)
        if kind == "experiment":
            killed, wrong = kill_experiment(folder, random, calm, longest, most)
        elif kind in GOING_ON:
            program, ways = GOING_ON[kind]
            way = ways[turn // len(KINDS) % len(ways)]
            killed, wrong = kill_going_on(folder, random, program, way, most)
        else:
            wrong = (kill_training if kind == "training" else kill_saving)(folder, random)
        done, turn = done + max(killed, 1), turn + 1
        found += [f"{kind}: {what} ({folder})" for what in wrong]
        for what in wrong:
            workers.say(f"{kind}: {what} ({folder})")
        if not wrong:
            shutil.rmtree(folder)
    workers.say(f"seed {seed}: {done} kills in {turn} turns, {len(found)} findings")
    return found


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--kills", type=int, default=30, help="how many (default: %(default)s)")
    add("--seed", type=int, default=1, help="(default: %(default)s)")
    add("--keep", type=Path, help="a folder for what is wrong (default: a temporary one)")
    args = parser.parse_args()
    root = args.keep or Path(tempfile.mkdtemp(prefix="kills-"))
    root.mkdir(parents=True, exist_ok=True)
    return 1 if kills(args.kills, args.seed, root) else 0


if __name__ == "__main__":
    sys.exit(main())
