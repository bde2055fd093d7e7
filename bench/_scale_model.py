"""What more machines would bring: exchanges of gradients by α and β, and jobs that are handed out.

The exchange is Rabenseifner's all-reduce, the best for what is longer than a few packets (Thakur,
Rabenseifner and Gropp 2005, Optimization of Collective Communication Operations in MPICH):
2·log₂p messages one after another, 2·(p - 1)/p·n bytes of each machine. Adding the numbers up, and
waiting for whoever is late, are left out, so the truth is slower.
"""

import heapq
import math
from collections.abc import Mapping
from typing import NamedTuple

from fastbp.many.feeding import TASK

MACHINES = (2, 4, 8, 16, 32, 64)


class Network(NamedTuple):
    """What a message costs: ``alpha`` seconds, and ``beta`` for each byte."""

    alpha: float
    beta: float

    def exchange(self, machines: int, size: int) -> float:
        """Seconds until all have the sum of a gradient of so many bytes."""
        return 2 * math.log2(machines) * self.alpha + 2 * (1 - 1 / machines) * size * self.beta


NETWORKS = {
    "1 Gb/s Ethernet": Network(50e-6, 1 / 0.118e9),
    "10 Gb/s Ethernet": Network(25e-6, 1 / 1.18e9),
    "100 Gb/s InfiniBand": Network(1.5e-6, 1 / 12e9),
}


def best_speedup(steps: Mapping[int, float], size: int, network: Network) -> tuple[float, int]:
    """How many times as fast a step is with as many machines as are best, and how many they are.

    ``steps`` has the seconds of a step by its batch: of the whole batch, the half, and so on. Each
    machine takes its part, and then they exchange ``size`` bytes.
    """
    whole = max(steps)
    found = [(1.0, 1)]
    for machines in MACHINES:
        if whole // machines in steps:
            seconds = steps[whole // machines] + network.exchange(machines, size)
            found.append((steps[whole] / seconds, machines))
    return max(found, key=lambda each: (each[0], -each[1]))  # of equals the fewest


def paying_batch(steps: Mapping[int, float], size: int, network: Network) -> float:
    """The batch from which two machines are faster than one, if a sample costs what it does now."""
    whole = max(steps)
    of_sample = (steps[whole] - steps[whole // 2]) / (whole - whole // 2)
    return 2 * network.exchange(2, size) / of_sample if of_sample > 0 else math.inf


class Costs(NamedTuple):
    """Seconds of processor time that handing out costs."""

    task: float  # of client and scheduler, for each task
    job: float  # of the client, for each job in it
    worker: float  # of a worker, for each job


def makespan(workers: int, jobs: int, seconds: float, costs: Costs) -> float:
    """When the last of so many jobs is back, where the caller hands them out as ``fit_many`` does.

    One caller serves all, one task after another, by the rules of fastbp.many.feeding: two tasks
    are on their way to each worker, of so many jobs that they take ``TASK`` seconds, and fewer at
    the end. A task that no worker waits for is taken by the one that is free first.
    """
    each = seconds + costs.worker
    clock, waiting, known = 0.0, jobs, False
    free = [0.0] * workers  # when each worker is
    flying: list[tuple[float, int]] = []  # when a task is back, and its jobs
    while waiting or flying:
        if waiting and len(flying) < 2 * workers:
            size = 1
            if known:
                fair = -(-waiting // (2 * workers))
                size = max(1, min(int(TASK / each), fair))
            waiting -= size
            clock += costs.task / 2 + size * costs.job / 2
            begins = max(heapq.heappop(free), clock)
            heapq.heappush(free, begins + size * each)
            heapq.heappush(flying, (begins + size * each, size))
        else:
            back, size = heapq.heappop(flying)
            clock = max(clock, back) + costs.task / 2 + size * costs.job / 2
            known = True
    return clock


def efficiency(
    workers: int, jobs: int, seconds: float, costs: Costs, cores: int | None = None
) -> float:
    """The share of the workers' time in which they train.

    Where caller and workers share ``cores`` nothing is faster than their time together allows.
    """
    took = makespan(workers, jobs, seconds, costs)
    if cores is not None:
        tasks = jobs * min(1, seconds / TASK)
        all_of_it = jobs * (seconds + costs.worker + costs.job) + tasks * costs.task
        took = max(took, all_of_it / cores)
    return jobs * seconds / (workers * took)
