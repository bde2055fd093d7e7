"""Where more machines pay: a step's gradients over a network, and fit_many on up to 1,000 workers.

    python bench/scale.py                       # measure, and write docs/scale.json and the page
    python bench/scale.py --tables              # the tables of docs/scale.md from docs/scale.json
    python bench/scale.py --jobs                # measure what handing out costs, and keep the steps
    python bench/scale.py --quick --output now.json

Measured are steps by their batch, what 10,000 jobs that train nothing cost client, scheduler and
workers of a Dask LocalCluster, and real jobs on one and two workers; all else is computed from
that (_scale_model.py). Costs of handing out are processor time. Dask's profilers are off (QUIET).
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _scale_model import (
    NETWORKS,
    Costs,
    best_speedup,
    efficiency,
    efficiency_of_cores,
    paying_batch,
)
from settings import SETTINGS, Setting, train

import fastbp as fb

DOCS = Path(__file__).resolve().parents[1] / "docs"
FIGURES, PAGE = DOCS / "scale.json", DOCS / "scale.md"
STEPS = ("final-b8", "simple-b64", "lenet-b32", "control-b256", "final-b512", "tiny-b10000")
PARTS = (1, 2, 4, 8, 16, 32, 64)  # of a batch
WORKERS, SECONDS, JOBS = (1, 2, 10, 100, 1000), (0.005, 0.05, 0.5, 5.0), 10_000
REAL = {0.01: 400, 0.1: 60}  # jobs of about so many seconds, that are trained
ROUNDS = 3  # of real jobs
BEGINS = 10  # calls of fit_many, of which the mean tells what one costs to begin
BESIDE = 0.05  # seconds of a job that is trained alone, and beside another
# What Dask looks at by default, a hundred times a second: docs/dask.md says so.
QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s"}
BEGIN, END = "<!-- {}: begin -->\n", "<!-- {}: end -->\n"
Figures = dict[str, Any]


def seconds_of_step(setting: Setting, least: float, repeats: int) -> float:
    """The shortest of some epochs that last so long at least, by its steps."""
    steps, size = 8, setting.size

    def epoch() -> float:
        rows = min(steps * setting.batch_size, size)
        history = train(setting, rows, metrics=None)
        return history.seconds / len(history.loss_by_iteration)

    epoch()
    while (taken := epoch()) * steps < least and steps * setting.batch_size < size:
        steps *= 2
    return min(taken, *(epoch() for _ in range(repeats)))


def measured_steps(names: Sequence[str], least: float, repeats: int) -> Figures:
    """Of each setting its gradient's bytes, and a step's seconds by its batch."""
    found = {}
    for name in names:
        setting = SETTINGS[name]
        batches = sorted({max(setting.batch_size // part, 1) for part in PARTS})
        found[name] = {
            "what": str(setting),
            "bytes": setting.net().params.nbytes,
            "steps": {
                batch: seconds_of_step(replace(setting, batch_size=batch), least, repeats)
                for batch in batches
            },
        }
    return found


def nothing() -> None:
    """What a task costs that does nothing."""


def empty_jobs(count: int) -> list[fb.Job]:
    """Jobs that are finished before they begin, of the smallest network there is."""
    first = fb.Sequential(fb.Linear(1, 2))
    history = fb.fit(first, np.zeros((2, 1)), np.array([0, 1]), epochs=1)
    return [
        fb.Job(first.copy(), optimizer=fb.SGD(0.1), epochs=0, history=_copy(history))
        for _ in range(count)
    ]


def _copy(history: fb.History) -> fb.History:
    return fb.History([*history.epochs], [*history.losses], history.path, [*history.rates])


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """The client of so many worker processes of one thread; the scheduler is in this process."""
    import dask
    from dask.distributed import Client, LocalCluster

    settings = {"n_workers": workers, "threads_per_worker": 1, "processes": True}
    with (
        dask.config.set(QUIET),
        LocalCluster(**settings, dashboard_address=None) as of_dask,
        Client(of_dask) as client,
    ):
        yield client


class Meter:
    """Processor time and time since it was made, of this process and of all workers together."""

    def __init__(self, client: Any, idle: tuple[float, float] = (0.0, 0.0)) -> None:
        self.client, self.idle = client, idle  # what they take in a second in any case
        self.before, self.started = self._now(), time.perf_counter()

    def _now(self) -> tuple[float, float]:
        return time.process_time(), sum(self.client.run(time.process_time).values())

    def read(self) -> tuple[float, float, float]:
        """Of this process and of the workers without what is idle, and seconds on the clock."""
        took = time.perf_counter() - self.started
        own, workers = (
            now - before - idle * took
            for now, before, idle in zip(self._now(), self.before, self.idle, strict=True)
        )
        return own, workers, took


def measured_costs(jobs: int, seconds: float) -> Figures:
    """What a task costs, and a job, where neither does anything; and what goes in any case."""
    data = np.zeros((2, 1)), np.array([0, 1])
    with cluster(1) as client:
        executor = client.get_executor()
        fb.fit_many(empty_jobs(20), data, executor=executor)  # whatever comes first
        meter = Meter(client)
        time.sleep(seconds)
        *used, took = meter.read()
        idle = used[0] / took, used[1] / took
        meter = Meter(client, idle)
        for task in [executor.submit(nothing, pure=False) for _ in range(jobs)]:
            task.result()
        of_tasks = meter.read()[0]
        todo, meter = empty_jobs(jobs), Meter(client, idle)
        fb.fit_many(todo, data, executor=executor)
        of_jobs, workers, _ = meter.read()
        todo, meter = empty_jobs(BEGINS), Meter(client, idle)
        for job in todo:
            fb.fit_many([job], data, executor=executor)
        begin = meter.read()[0] / BEGINS - of_tasks / jobs
    each = of_tasks / jobs, of_jobs / jobs, workers / jobs  # a job's with that of its task
    return {"jobs": jobs, **Costs(*each, begin, *idle, beside(BESIDE))._asdict()}


def beside(seconds: float) -> float:
    """How many times as much processor time a training takes while another runs beside it."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        fb.fit_many(*real_jobs(4, 0.01), executor=pool)
        alone = [pool.submit(seconds_of, seconds).result() for _ in range(4)]
        both = [
            task.result()
            for _ in range(4)
            for task in [pool.submit(seconds_of, seconds) for _ in "12"]
        ]
    return max(1.0, min(both) / min(alone))


def seconds_of(seconds: float) -> float:
    """The processor time of an epoch of jobs that take about so long, here."""
    jobs, data = real_jobs(20, seconds)
    started = time.process_time()
    for job in jobs:
        fb.fit_many([job], data, threads=1)
    return (time.process_time() - started) / sum(job.epochs for job in jobs)


def real_jobs(count: int, seconds: float) -> tuple[list[fb.Job], Any]:
    """Jobs that take about so long alone, and their data."""
    _alone(2)
    of_epoch = min(_alone(20) for _ in range(5)) / 20
    epochs = max(1, round(seconds / of_epoch))
    return [_real_job(seed, epochs) for seed in range(count)], _real_data()


def _real_data() -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(2000, 20)), rng.integers(2, size=2000)


def _real_job(seed: int, epochs: int) -> fb.Job:
    net = fb.Sequential(fb.Linear(20, 32), fb.Tanh(), fb.Linear(32, 2), seed=seed)
    return fb.Job(net, optimizer=fb.SGD(0.1), epochs=epochs, seed=seed)


def _alone(epochs: int) -> float:
    """The seconds of such a job in this process."""
    job, data = _real_job(0, epochs), _real_data()
    started = time.perf_counter()
    fb.fit_many([job], data, threads=1)
    return time.perf_counter() - started


def measured_efficiency() -> list[Figures]:
    """Real jobs on one worker and on two: the share of their time in which they trained.

    The median of some rounds, each with trainings alone before it and after it: how fast a machine
    is at a time changes more than what is measured.
    """
    found = []
    for workers in (1, 2):
        with cluster(workers) as client:
            executor = client.get_executor()
            for seconds, count in REAL.items():
                fb.fit_many(*real_jobs(4 * workers, 0.001), executor=executor)
                rounds = [efficiency_once(executor, workers, count, seconds) for _ in range(ROUNDS)]
                alone, share = (statistics.median(each) for each in zip(*rounds, strict=True))
                row = {"workers": workers, "jobs": count, "seconds": alone}
                found.append(row | {"efficiency": share})
    return found


def efficiency_once(executor: Any, workers: int, count: int, seconds: float) -> tuple[float, float]:
    """How long a job takes alone, and the share of the workers' time that all would take so."""
    jobs, data = real_jobs(count, seconds)
    alone = [_alone(jobs[0].epochs) for _ in range(5)]
    started = time.perf_counter()
    fb.fit_many(jobs, data, executor=executor)
    took = time.perf_counter() - started
    each = statistics.median([*alone, *(_alone(jobs[0].epochs) for _ in range(5))])
    return each, count * each / (workers * took)


def measure(quick: bool) -> Figures:
    """All that is measured."""
    least, repeats = (0.01, 2) if quick else (0.2, 7)
    return {"steps": measured_steps(STEPS, least, repeats), **measured_jobs(quick)}


def measured_jobs(quick: bool) -> Figures:
    """What handing out costs, and what is left."""
    costs = measured_costs(*((200, 0.2) if quick else (JOBS, 10.0)))
    cores = len(os.sched_getaffinity(0))
    return {"cores": cores, "costs": costs, "real": measured_efficiency()}


def tables(figures: Figures) -> dict[str, str]:
    """The page's tables, by the names of their places."""
    return {
        "steps": table_of_steps(figures["steps"]),
        "costs": table_of_costs(figures["costs"]),
        "workers": table_of_workers(costs_of(figures)),
        "real": table_of_real(figures),
    }


def costs_of(figures: Figures) -> Costs:
    """What handing out costs."""
    return Costs(*(figures["costs"][name] for name in Costs._fields))


def table_of_steps(steps: Figures) -> str:
    """What a step takes, and what machines would make of it."""
    columns = ["training", "gradient", "a step here"]
    columns += [*NETWORKS, "two pay at 10 Gb/s from batch"]
    rows = []
    for found in steps.values():
        by_batch = {int(batch): seconds for batch, seconds in found["steps"].items()}
        cells = [found["what"], f"{found['bytes'] / 1000:,.0f} kB", said(by_batch[max(by_batch)])]
        for network in NETWORKS.values():
            times, machines = best_speedup(by_batch, found["bytes"], network)
            cells.append("one alone" if machines == 1 else f"{times:.2f}× with {machines}")
        least = paying_batch(by_batch, found["bytes"], NETWORKS["10 Gb/s Ethernet"])
        rows.append([*cells, f"{least:,.0f}" if np.isfinite(least) else "none"])
    return markdown(columns, rows)


def table_of_costs(costs: Figures) -> str:
    """What handing out costs."""
    rows = [
        ["a task that does nothing, of client and scheduler", said(costs["task"])],
        ["a job that trains nothing, of the client, with its share of a task", said(costs["job"])],
        ["the same, of its worker", said(costs["worker"])],
        ["a call of `fit_many`, of the client", said(costs["begin"])],
        ["client and scheduler, in a second in which nothing is asked", said(costs["idle_client"])],
        ["a worker, in such a second", said(costs["idle_worker"])],
        ["a training beside another, of what it takes alone", f"{costs['beside']:.2f}"],
        ["so such tasks a second, at most", f"{1 / costs['task']:,.0f}"],
        ["such jobs a second, at most, of one worker", f"{1 / costs['worker']:,.0f}"],
    ]
    return markdown(["", "measured"], rows)


def table_of_workers(costs: Costs) -> str:
    """The share of the workers' time in which they would train."""
    rows = [
        [f"{workers:,}", *(share(efficiency(workers, JOBS, each, costs)) for each in SECONDS)]
        for workers in WORKERS
    ]
    return markdown(["workers", *(f"jobs of {each:g} s" for each in SECONDS)], rows)


def table_of_real(figures: Figures) -> str:
    """What was computed for this machine, and what was measured on it."""
    rows = []
    for row in figures["real"]:
        parts = (row["workers"], row["jobs"], row["seconds"], costs_of(figures), figures["cores"])
        job = [str(row["workers"]), f"{row['jobs']} of {said(row['seconds'])}"]
        computed = share(efficiency_of_cores(*parts))
        rows.append([*job, computed, share(row["efficiency"])])
    return markdown(["workers", "jobs", "computed", "measured"], rows)


def said(seconds: float) -> str:
    """A time in the unit that fits it."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size or unit == "µs":
            return f"{seconds / size:.3g} {unit}"
    raise AssertionError


def share(part: float) -> str:
    """As a percentage."""
    return f"{100 * part:.0f} %"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(text: str, figures: Figures) -> str:
    """The page with its tables made anew."""
    for name, made in tables(figures).items():
        before, _, rest = text.partition(BEGIN.format(name))
        text = before + BEGIN.format(name) + made + END.format(name)
        text += rest.partition(END.format(name))[2]
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    parser.add_argument("--jobs", action="store_true", help="measure all but steps")
    parser.add_argument("--quick", action="store_true", help="a few of all, in seconds")
    parser.add_argument("--output", type=Path, default=FIGURES, help="(default: docs/scale.json)")
    args = parser.parse_args(arguments)
    if not args.tables:
        known = json.loads(FIGURES.read_text("utf-8")) if args.jobs else {}
        figures = known | (measured_jobs(args.quick) if args.jobs else measure(args.quick))
        args.output.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    figures = json.loads(args.output.read_text("utf-8"))
    if args.output == FIGURES:
        PAGE.write_text(page(PAGE.read_text("utf-8"), figures), "utf-8")
    for made in tables(figures).values():
        sys.stdout.write(made + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
