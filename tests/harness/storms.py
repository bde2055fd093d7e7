"""Many trainings at once, in threads and processes, under interrupts, and hundreds in a row.

    python tests/harness/storms.py --threads 32 --interrupts 2000 --fits 3000

Threads: each network has the bits of one trained alone. Processes: so has one that a child trains
while its parent does. Interrupts: after a Ctrl-C every few milliseconds no number is NaN, no
thread is left, and the next training has the same bits as ever. Memory: what hundreds of trainings
take they give back. Exit code 1 if anything is wrong.
"""

import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import workers
from trainings import CLASSES, dense, images, trained

import fastbp as fb
from fastbp.backends import AUTOMATIC, load

MAKERS = (dense, images)
METHODS = ("fork", "spawn", "forkserver")
MOST_GROWTH = 5 << 20  # bytes, however many trainings
WARM = 40  # trainings after which memory is counted


def engines() -> list[str]:
    """The backends that have an engine."""
    return [name for name in AUTOMATIC if load(name).can("engine")]


# Threads


def in_threads(count: int) -> list[str]:
    """Train in so many threads at once, every second one with two threads of its own."""
    alone = {make: trained(make, 1) for make in MAKERS}
    results: dict[int, np.ndarray | BaseException] = {}
    start = threading.Barrier(count)

    def train(number: int) -> None:
        start.wait()
        try:
            results[number] = trained(MAKERS[number % 2], 1 + number // 2 % 2)
        except BaseException as problem:
            results[number] = problem

    threads = [threading.Thread(target=train, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [
        f"thread {number}: {result if isinstance(result, BaseException) else 'other bits'}"
        for number, result in sorted(results.items())
        if isinstance(result, BaseException)
        or not np.array_equal(result, alone[MAKERS[number % 2]])
    ]


# Processes


def _child(queue: Any, make: Callable[[], fb.Sequential], backend: str) -> None:
    with fb.use_backend(backend):
        queue.put(trained(make, 2))


def in_processes(method: str, backend: str) -> list[str]:
    """Train in a child while the parent trains in a thread."""
    context = multiprocessing.get_context(method)
    with fb.use_backend(backend):
        alone = {make: trained(make, 2) for make in MAKERS}
        stop = threading.Event()

        def go_on() -> None:
            while not stop.is_set():
                trained(dense, 2)

        parent = threading.Thread(target=go_on)
        parent.start()
        try:
            return [what for make in MAKERS for what in _from_child(context, make, backend, alone)]
        finally:
            stop.set()
            parent.join()


def _from_child(context: Any, make: Any, backend: str, alone: Any) -> list[str]:
    queue = context.Queue()
    child = context.Process(target=_child, args=(queue, make, backend), daemon=True)
    child.start()
    try:
        result = queue.get(timeout=60)
    except Exception:
        child.kill()
        return [f"{context._name}, {backend}, {make.__name__}: no answer in 60 s"]
    child.join()
    same = np.array_equal(result, alone[make])
    return [] if same else [f"{context._name}, {backend}, {make.__name__}: other bits"]


# Interrupts


def interrupted(count: int) -> int:
    """Train until so many Ctrl-C have come: run in a process that gets them. 1 if it is damaged."""
    caught, armed = 0, False

    def handle(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    alone = {make: trained(make, 2) for make in MAKERS}
    workers.say("ready")
    wrong, turn = [], 0
    while caught < count:
        net = MAKERS[turn % 2]()
        x, y = np.ones((64, net.inputs or 1), np.float32), np.arange(64) % CLASSES
        try:
            armed = True
            fb.fit(
                *(net, (x, y)),
                loss=fb.HingeLoss(),
                optimizer=fb.SGD(1e-4),
                epochs=10**6,
                threads=1 + turn // 2 % 2,
                batch_size=16,
            )
        except KeyboardInterrupt:
            armed = False
            caught += 1
        armed = False
        if not np.isfinite(net.params).all():
            wrong.append(f"turn {turn}: parameters are not finite")
        net.predict(x)
        turn += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's end is not what is looked at
    end = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.01)
    if threading.active_count() > 1:
        wrong.append(f"threads are left: {threading.enumerate()}")
    wrong += [make.__name__ for make in MAKERS if not np.array_equal(trained(make, 2), alone[make])]
    workers.say(f"caught {caught}; {'; '.join(wrong)}")
    return 1 if wrong else 0


def under_interrupts(count: int, every: float = 0.004) -> list[str]:
    """Send Ctrl-C to a process of its own until it has caught so many."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, __file__, "--interrupted", str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()  # ready
        end = time.monotonic() + 60 + count * every * 50
        while process.poll() is None and time.monotonic() < end:
            process.send_signal(signal.SIGINT)
            time.sleep(every)
        process.kill()
        said += process.stdout.read()
    return [] if process.returncode == 0 else [f"interrupts: {said.strip()[-500:]}"]


# Memory


def in_a_row(make: Callable[[], fb.Sequential], backend: str, count: int) -> list[str]:
    """Train new networks one after another; the memory that is gone in the end, if any."""
    rng = np.random.default_rng(0)
    x, y = rng.random((32, make().inputs or 1), np.float32), np.arange(32) % CLASSES
    with fb.use_backend(backend):
        before = 0
        for number in range(count + WARM):
            if number == WARM:
                before = workers.resident()
            net = make()
            loss, optimizer = fb.HingeLoss(), fb.Adam(1e-3)
            fb.fit(net, (x, y), loss=loss, optimizer=optimizer, epochs=1, threads=1 + number % 2)
            net.predict(x)
    grown = workers.resident() - before
    if grown <= MOST_GROWTH:
        return []
    return [f"{backend}, {make.__name__}: {count} trainings took {grown / 1e6:.1f} MB for ever"]


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--threads", type=int, default=32, help="(default: %(default)s)")
    add("--interrupts", type=int, default=1000, help="(default: %(default)s)")
    add("--fits", type=int, default=1000, help="in a row (default: %(default)s)")
    add("--backend", choices=AUTOMATIC, action="append", help="only this; may be repeated")
    add("--interrupted", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.interrupted:
        return interrupted(args.interrupted)
    wrong = []
    for backend in args.backend or engines():
        with fb.use_backend(backend):
            wrong += in_threads(args.threads)
        for method in METHODS:
            wrong += in_processes(method, backend)
        for make in MAKERS:
            wrong += in_a_row(make, backend, args.fits)
        workers.say(f"{backend}: {len(wrong)} findings so far")
    wrong += under_interrupts(args.interrupts)
    workers.say(f"{len(wrong)} findings")
    for what in wrong:
        workers.say(what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
