"""What a kernel call does to the rest of the process: threads go on, no setting changes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from for_each import for_each
from kernel_cases import make_case

from fastbp.kernels import KERNELS


@pytest.fixture(autouse=True)
def _no_forced_switches() -> Iterator[None]:
    """Nobody is made to give the GIL away: another thread runs only if it is released."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


def lets_others_run(function: Callable[[], object], patience: float) -> bool:
    """Whether this thread gets to run while another does nothing but call the function.

    The other thread stops once this one has run, or when its patience (seconds) is at an end. So
    the answer does not hang on how long a call takes or on how busy the machine is.
    """
    started, stopped, noticed = threading.Event(), threading.Event(), []

    def call_until_noticed() -> None:
        end = time.perf_counter() + patience
        started.set()
        while not noticed and time.perf_counter() < end:
            function()
        stopped.set()

    thread = threading.Thread(target=call_until_noticed)
    thread.start()
    started.wait()
    ran_meanwhile = not stopped.is_set()
    noticed.append(True)
    thread.join()
    return ran_meanwhile


has_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python has no GIL"
)


@has_gil
def test_python_code_lets_nobody_run() -> None:
    assert not lets_others_run(lambda: sum(range(1000)), patience=0.1)


@for_each("name", KERNELS)
def test_kernels_release_the_gil(compiled: Any, name: str, rng: np.random.Generator) -> None:
    kernel = getattr(compiled, name)
    arguments = list(make_case(name, 500, 300, 200, np.float64, rng).values())
    kernel(*arguments)  # Numba compiles at the first call
    assert lets_others_run(lambda: kernel(*arguments), patience=20)


SUBNORMALS = """
import numpy as np
import fastbp as fb
from fastbp.kernels import KERNELS
from kernel_cases import make_case

for backend in ("numpy", "numba", "cython"):
    with fb.use_backend(backend):
        for name in KERNELS:
            case = make_case(name, 8, 33, 65, np.float32, np.random.default_rng(0))
            getattr(fb.backends.kernels(), name)(*case.values())
    tiny, one = np.full(99, 1e-40, np.float32), np.float32(1)
    assert np.all(tiny * one == np.float32(1e-40)), f"{backend}: subnormal inputs became 0"
    assert np.all(np.sqrt(tiny) > 0), f"{backend}: subnormal inputs became 0"
    assert np.all(np.full(99, 1e-30, np.float32) * np.float32(1e-10) > 0), "results became 0"
    assert 5e-324 * 1.0 > 0, f"{backend}: subnormal doubles became 0"
"""


def test_no_backend_changes_how_the_processor_treats_subnormals() -> None:
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run(
        [sys.executable, "-c", SUBNORMALS], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
