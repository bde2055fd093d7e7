"""Eight threads train at once, each its own network; without the global lock where Python has none.

``pytest tests/training/test_free_threads.py`` needs no more than NumPy and pytest, so that a
free-threaded Python (3.13t, 3.14t), for which not every library has wheels, runs it too.
"""

import sys
import sysconfig
import threading

import numpy as np
import pytest

import fastbp as fb

EIGHT = 8


def _trained(seed: int) -> tuple[fb.Sequential, fb.History]:
    numbers = np.random.default_rng(seed)
    x, labels = numbers.random((400, 20), "float32"), numbers.integers(0, 3, 400)
    net = fb.Sequential(fb.Linear(20, 16), fb.Tanh(), fb.Linear(16, 3), seed=seed)
    history = fb.fit(net, (x, labels), loss=fb.CrossEntropyLoss(), optimizer=fb.Adam(0.01),
                     epochs=5, batch_size=16, threads=1, seed=seed)  # fmt: skip
    return net, history


@pytest.mark.parametrize("name", ["cython", "numpy"])
def test_eight_threads_at_once_end_as_one_after_another(name: str) -> None:
    found: dict[int, tuple[fb.Sequential, fb.History]] = {}
    start = threading.Barrier(EIGHT)

    def work(seed: int) -> None:
        start.wait()
        found[seed] = _trained(seed)

    with fb.use_backend(name):
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(EIGHT)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for seed in range(EIGHT):
            net, history = _trained(seed)
            assert history["loss"][-1] < history["loss"][0]
            assert found[seed][1]["loss"] == history["loss"]
            assert found[seed][0].params.tobytes() == net.params.tobytes()


def test_native_modules_leave_the_global_lock_off_where_it_is() -> None:
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python always has its lock")
    with fb.use_backend("cython"):
        _trained(0)
    assert not sys._is_gil_enabled()  # a module that does not declare itself would turn it on
