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

from fastbp.many.cluster import SPARE
from fastbp.many.crews import MOST
from fastbp.many.feeding import jobs_of

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
    """Seconds of processor time that handing out costs, each measured by itself."""

    task: float  # of client and scheduler, for each task
    job: float  # of the client, for each job in it
    worker: float  # of a worker, for each job
    begin: float = 0.0  # of the client, for a call
    # Shares of a processor that go whatever is done: heartbeats, looking for what runs.
    idle_client: float = 0.0
    idle_worker: float = 0.0
    beside: float = 1.0  # how many times as long a training takes while another runs beside it


def makespan(workers: int, jobs: int, seconds: float, costs: Costs) -> tuple[float, int]:
    """When the last of so many jobs is back, and the tasks, as ``fit_many`` hands them out.

    One caller serves all, one task after another, by the rules of fastbp.many: two tasks are on
    their way to each worker and some more, each of so many jobs as ``jobs_of`` says. A task that
    no worker waits for is taken by the one that is free first.
    """
    each = (seconds + costs.worker) / (1 - costs.idle_worker)
    task, job, clock = (
        part / (1 - costs.idle_client) for part in (costs.task, costs.job, costs.begin)
    )
    waiting, known, tasks = jobs, False, 0
    free = [0.0] * workers  # when each worker is
    flying: list[tuple[float, int]] = []  # when a task is back, and its jobs
    while waiting or flying:
        if waiting and len(flying) < 2 * workers + SPARE:
            size = max(1, min(jobs_of(each, waiting, workers), MOST)) if known else 1
            waiting, tasks = waiting - size, tasks + 1
            clock += (task + size * job) / 2
            begins = max(heapq.heappop(free), clock)
            heapq.heappush(free, begins + size * each)
            heapq.heappush(flying, (begins + size * each, size))
        else:
            back, size = heapq.heappop(flying)
            clock = max(clock, back) + (task + size * job) / 2
            known = True
    return clock, tasks


def efficiency(workers: int, jobs: int, seconds: float, costs: Costs) -> float:
    """The share of the workers' time in which they train, each on a processor of its own."""
    return jobs * seconds / (workers * makespan(workers, jobs, seconds, costs)[0])


def efficiency_of_cores(workers: int, jobs: int, seconds: float, costs: Costs, cores: int) -> float:
    """The same where the caller and its workers share so many cores, which others slow down.

    Nothing is faster than the cores' time allows, of which what is idle takes its share first.
    """
    slowed = seconds * (costs.beside if workers > 1 else 1.0)
    took, tasks = makespan(workers, jobs, slowed, costs)
    work = costs.begin + tasks * costs.task + jobs * (costs.job + costs.worker + slowed)
    left = cores - costs.idle_client - workers * costs.idle_worker
    return jobs * seconds / (workers * max(took, work / left))
