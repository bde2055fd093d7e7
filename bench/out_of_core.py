"""What training from disk costs beside training in memory, and how much memory it takes.

    python bench/out_of_core.py --folder FOLDER    # measure: docs/out_of_core.json, and the page
    python bench/out_of_core.py --tables           # the table of docs/larger_than_memory.md alone

makes data in FOLDER, as .npy files and as .npz (as they are and compressed) and .parquet shards,
unless they are there already. An epoch from disk and one in memory are timed in turn, several
times; of each the fastest counts, and of one without the copy of what has to be decoded the only
one. Each kind's memory is measured in a process of its own, from when the network is made. It ends
with exit code 1 where an epoch is slower than 0.9 of the speed in memory, or memory goes beyond the
bound.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import fastbp as fb
from fastbp.datasets._memory import as_bytes

FEATURES, SHARDS, LEAST = 64, 16, 0.9
KINDS = {
    "npy": ".npy",
    "npz": ".npz",
    "packed": ".npz, compressed",
    "parquet": ".parquet",
}
DOCS = Path(__file__).resolve().parents[1] / "docs"
FIGURES, PAGE = DOCS / "out_of_core.json", DOCS / "larger_than_memory.md"
BEGIN, END = "<!-- speeds: begin -->\n", "<!-- speeds: end -->\n"
Figures = dict[str, Any]
SYSTEM_PAGE = os.sysconf("SC_PAGE_SIZE")


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
        elif kind == "packed":
            np.savez_compressed(path / f"part{number:02}.npz", x=x, y=y)
        else:
            import pandas as pd

            frame = pd.DataFrame(x, columns=[f"c{i}" for i in range(FEATURES)]).assign(label=y)
            frame.to_parquet(path / f"part{number:02}.parquet", row_group_size=20_000)
    return path


def network(data: fb.datasets.Shards) -> fb.Sequential:
    """A dense network of two hidden layers."""
    sizes = fb.Linear(data.features, 128), fb.ReLU(), fb.Linear(128, 64), fb.ReLU()
    return fb.Sequential(*sizes, fb.Linear(64, data.targets))


def epoch(data: Any, net: fb.Sequential) -> float:
    """Seconds that an epoch takes."""
    begun = time.perf_counter()
    fb.fit(net, data, epochs=1, batch_size=64, metrics=None, optimizer=fb.SGD(0.01))
    return time.perf_counter() - begun


def speeds(path: Path, memory: str, repeats: int) -> Figures:
    """Samples in a second, from disk and in memory, and seconds until that begins."""
    begun = time.perf_counter()
    data = fb.datasets.shards(path, memory=memory)
    opening = time.perf_counter() - begun
    inside = data.dataset()
    times = [[epoch(each, network(data)) for each in (data, inside)] for _ in range(repeats)]
    disk, there = np.min(times, axis=0).tolist()
    found = {"opening": opening, "disk": len(data) / disk, "memory": len(data) / there}
    if data.copied:
        del inside
        anew = fb.datasets.shards(path, memory=memory, copy=False)
        found["anew"] = len(anew) / epoch(anew, network(anew))
    return found


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * SYSTEM_PAGE


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
    try:
        data = fb.datasets.shards(path, memory=memory)
        fb.fit(network(data), data, epochs=1, batch_size=64, validation=0.1, metrics="running")
    finally:
        done.set()
        watcher.join()
    return most - before


def measured(kind: str, folder: Path, megabytes: int, memory: str, repeats: int) -> Figures:
    """Of a kind of files."""
    path = make(folder, kind, megabytes)
    command = [sys.executable, __file__, "--memory", memory, "--growth", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    size = sum(each.stat().st_size for each in path.iterdir())
    return {"size": size, "growth": int(done.stdout), **speeds(path, memory, repeats)}


def table(figures: Figures) -> str:
    """What was measured, a line for each kind."""
    bound = as_bytes(figures["bound"]) / 1e6
    made = (
        f"{figures['megabytes']} MB of samples within a bound of {bound:.0f} MB; "
        f"{figures['cores']} cores. Speeds are samples in a second, in brackets as parts of "
        "that in memory.\n\n"
        "| files | on disk | looked at in | in memory | from disk | without a copy | memory |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for kind, each in figures["kinds"].items():
        ways = [each["disk"], each.get("anew")]
        shown = [f"{way:,.0f} ({way / each['memory']:.2f})" if way else "the same" for way in ways]
        cells = [KINDS[kind], f"{each['size'] / 1e6:.0f} MB", f"{each['opening']:.1f} s"]
        cells += [f"{each['memory']:,.0f}", *shown, f"{each['growth'] / 1e6:.1f} MB"]
        made += f"| {' | '.join(cells)} |\n"
    return made


def page(text: str, figures: Figures) -> str:
    """The page with its table made anew."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table(figures) + END + rest.partition(END)[2]


def holds(figures: Figures) -> bool:
    """Whether every kind is as fast as is wanted, and within its bound."""
    bound = as_bytes(figures["bound"])
    return all(
        each["growth"] <= bound and each["disk"] >= LEAST * each["memory"]
        for each in figures["kinds"].values()
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where the data are made, or were")
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--memory", default="60MB")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--output", type=Path, default=FIGURES, help="(default: the documents')")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    parser.add_argument("--growth", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.growth is not None:
        sys.stdout.write(f"{growth(args.growth, args.memory)}\n")
        return 0
    if not args.tables:
        if args.folder is None:
            parser.error("--folder says where there is room for data")
        about = {"megabytes": args.megabytes, "bound": args.memory, "cores": os.cpu_count()}
        how = args.folder, args.megabytes, args.memory, args.repeats
        figures = about | {"kinds": {kind: measured(kind, *how) for kind in args.kinds}}
        args.output.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    figures = json.loads(args.output.read_text("utf-8"))
    if args.output == FIGURES:
        PAGE.write_text(page(PAGE.read_text("utf-8"), figures), "utf-8")
    sys.stdout.write(table(figures))
    return 0 if holds(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
