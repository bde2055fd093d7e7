"""What is measured beside other libraries, and how many times as fast fastbp is to be."""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import NamedTuple

from settings import PREDICTION, SETTINGS, Setting, Table, on_table, thousands


class Work(StrEnum):
    """What a library is to do."""

    TRAIN = auto()  # a network, for an epoch
    TRAIN_MANY = auto()  # networks of one shape, side by side, all on the same batches
    PREDICT = auto()


class Task(NamedTuple):
    """Some work on a setting's network and data."""

    setting: Setting
    work: Work = Work.TRAIN
    count: int = 1  # networks, or samples that are predicted at a time
    frozen: bool = True  # whether fastbp predicts with ``net.frozen()``

    def __str__(self) -> str:
        if self.work is Work.TRAIN:
            return str(self.setting)
        sizes = "-".join(map(str, self.setting.sizes))
        if self.work is Work.TRAIN_MANY:
            batch = self.setting.batch_size
            return f"{self.count} networks {sizes}, batch {batch}, a step of one of them"
        what = "one sample" if self.count == 1 else f"{thousands(self.count)} rows"
        return f"{what}, {sizes}" + ", not frozen" * (not self.frozen)


POLICY = on_table("policy", (64, 64), 64, Table(17, 6, 100_000))  # which nobody trains here
TASKS: dict[str, Task] = {
    **{name: Task(setting) for name, setting in SETTINGS.items()},
    "many-b64": Task(SETTINGS["simple-b64"], Work.TRAIN_MANY, 16),
    "predict-one": Task(PREDICTION, Work.PREDICT),
    "predict-one-plain": Task(PREDICTION, Work.PREDICT, frozen=False),
    "predict-policy": Task(POLICY, Work.PREDICT),
    "predict-policy-plain": Task(POLICY, Work.PREDICT, frozen=False),
    "predict-60000": Task(PREDICTION, Work.PREDICT, 60_000),
    "predict-100000": Task(POLICY, Work.PREDICT, 100_000),
}
GOALS: dict[str, Mapping[str, float]] = {  # at least so many times as fast as each library's best
    "final-b8": {"PyTorch": 20, "JAX": 8},
    "deep-b8": {"PyTorch": 17, "JAX": 6.5},
    "simple-b64": {"PyTorch": 10, "JAX": 4},
    "final-b512": {"PyTorch": 5, "JAX": 2.2},
    "lenet-b32": {"PyTorch": 8, "JAX": 12},
    "control-b256": {"PyTorch": 3.5, "JAX": 1.4},
    "table-b32": {"PyTorch": 40, "JAX": 1.5},
    "tiny-b10000": {"PyTorch": 6, "JAX": 2},
    "policy-b1024": {"PyTorch": 5, "JAX": 1.6},
    "tiny-b8": {"PyTorch": 250, "JAX": 7},
    "wide-table-b512": {"PyTorch": 5, "JAX": 1.5},
    "many-b64": {"PyTorch": 12, "JAX": 4},
    "predict-one": {"PyTorch": 20, "onnxruntime": 8},
    "predict-policy": {"PyTorch": 30, "onnxruntime": 10},
    "predict-60000": {"onnxruntime": 2.5},
    "predict-100000": {"onnxruntime": 2.5},
}
NUMBA_GOALS: dict[str, Mapping[str, float]] = {  # the same of fastbp's Numba engine
    "final-b8": {"PyTorch": 10},
    "simple-b64": {"PyTorch": 5},
} | {name: {"JAX": 0.8} for name in SETTINGS if name not in ("final-b8", "simple-b64")}
