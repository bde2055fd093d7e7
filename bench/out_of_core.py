"""What training from disk costs beside training in memory, and how much memory it takes.

    python bench/out_of_core.py --folder FOLDER [--megabytes 400] [--memory 100MB]

makes data there, as .npy files and as .npz and .parquet shards, unless they are there already. An
epoch from disk and one in memory are timed in turn, several times; of each the fastest counts. Each
kind's memory is measured in a process of its own, from when the network is made. It ends with exit
code 1 where an epoch is slower than 0.9 of the speed in memory, or memory goes beyond the bound.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

import fastbp as fb
from fastbp.datasets._memory import as_bytes

FEATURES, SHARDS, LEAST = 64, 16, 0.9
KINDS = ("npy", "npz", "parquet")
PAGE = os.sysconf("SC_PAGE_SIZE")


def make(folder: Path, kind: str, megabytes: int) -> Path:
    """Shards of float32 columns and two classes."""
    path = folder / f"{kind}-{megabytes}"
    if path.exists():
        return path
    rows = megabytes * 10**6 // (4 * FEATURES * SHARDS)
    path.mkdir(parents=True)
    for number in range(SHARDS):
        rng = np.random.default_rng(number)
        x = rng.standard_normal((rows, FEATURES), np.float32)
        y = (x[:, :8].sum(axis=1) > 0).astype(np.int64)
        if kind == "npy":
            np.save(path / f"x{number:02}.npy", x)
            np.save(path / f"y{number:02}.npy", y)
        elif kind == "npz":
            np.savez(path / f"part{number:02}.npz", x=x, y=y)
        else:
            import pandas as pd

            frame = pd.DataFrame(x, columns=[f"c{i}" for i in range(FEATURES)]).assign(label=y)
            frame.to_parquet(path / f"part{number:02}.parquet", row_group_size=20_000)
    return path


def opened(path: Path, memory: str) -> fb.datasets.Shards:
    """The shards; of a table the label has classes."""
    return fb.datasets.shards(path, memory=memory)


def network(data: fb.datasets.Shards) -> fb.Sequential:
    """A dense network of two hidden layers."""
    sizes = fb.Linear(data.features, 128), fb.ReLU(), fb.Linear(128, 64), fb.ReLU()
    return fb.Sequential(*sizes, fb.Linear(64, data.targets))


def epoch(data: object, net: fb.Sequential) -> tuple[float, float]:
    """Seconds that an epoch takes, by the clock and of all processors."""
    begun, used = time.perf_counter(), time.process_time()
    fb.fit(net, data, epochs=1, batch_size=64, metrics=None, optimizer=fb.SGD(0.01))  # type: ignore[arg-type]
    return time.perf_counter() - begun, time.process_time() - used


def speed(path: Path, memory: str, repeats: int) -> tuple[float, float]:
    """Samples in a second, from disk and in memory."""
    data = opened(path, memory)
    inside, times = data.dataset(), []
    for _ in range(repeats):
        times.append([epoch(each, network(data))[0] for each in (data, inside)])
    best = np.min(times, axis=0)
    return len(data) / best[0], len(data) / best[1]


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def growth(path: Path, memory: str) -> int:
    """How many bytes opening, training and evaluating take at most, beyond what was there."""
    few = fb.datasets.shards((np.ones((640, FEATURES), np.float32), np.arange(640) % 2))
    net = network(few)
    epoch(few, net)  # so that what is imported and made once is there
    if path.name.startswith("parquet"):
        import pyarrow.parquet as parquet

        first = min(path.iterdir())
        next(parquet.ParquetFile(first).iter_batches(64)).to_pandas()
        fb.datasets.table({"a": [1.5, 2.5, 4.0], "label": [0, 1, 0]}, "label")
    before, most, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    data = opened(path, memory)
    fb.fit(network(data), data, epochs=1, batch_size=64, validation=0.1, metrics="running")
    done.set()
    watcher.join()
    return most - before


def main() -> int:
    """Print a row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--memory", default="100MB")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--growth", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.growth is not None:
        sys.stdout.write(f"{growth(args.growth, args.memory)}\n")
        return 0
    code, bound = 0, as_bytes(args.memory)
    told = ("kind", "from disk", "in memory", "ratio", "memory")
    sys.stdout.write("{:<8} {:>12} {:>12} {:>6} {:>9}\n".format(*told))
    for kind in args.kinds:
        path = make(args.folder, kind, args.megabytes)
        command = [sys.executable, __file__, "--folder", str(args.folder), "--memory", args.memory]
        done = subprocess.run(
            [*command, "--growth", str(path)], check=True, capture_output=True, text=True
        )
        grown = int(done.stdout)
        disk, inside = speed(path, args.memory, args.repeats) if args.repeats else (1.0, 1.0)
        told = f"{kind:<8} {disk:>10,.0f}/s {inside:>10,.0f}/s {disk / inside:>6.2f}"
        sys.stdout.write(f"{told} {grown / 1e6:>6.1f} MB\n")
        sys.stdout.flush()
        code |= grown > bound or disk < LEAST * inside
    return code


if __name__ == "__main__":
    sys.exit(main())
