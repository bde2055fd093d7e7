"""fastbp: train small neural networks on a CPU, with every gradient written by hand.

>>> import fastbp as fb
>>> train, test = fb.datasets.mnist()
>>> net = fb.Sequential(fb.Linear(784, 100), fb.Tanh(), fb.Linear(100, 10))
>>> history = fb.fit(net, train, loss=fb.HingeLoss(), optimizer=fb.SGD(lr=0.01), validation=test)
"""

import os as _os
import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if not _os.path.isdir(_os.path.join(_os.path.dirname(__file__), "kernels")):
    # A source checkout: kernels/ lies beside fastbp/, and is fastbp.kernels from here on.
    __path__.append(_os.path.dirname(_os.path.dirname(_os.path.realpath(__file__))))

if _sys.argv[:1] == ["-m"]:  # python -m fastbp, which imports all of this before its __main__
    from . import _stopped as _stopped

from . import _hints, _late, datasets, schedules
from ._above import Above as _Above
from ._version import __version__ as __version__
from .backends import use_backend
from .custom import GradientError, activation, loss
from .ensemble import Ensemble
from .gradcheck import gradcheck
from .layers import (
    ELU,
    GELU,
    SELU,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    LogSoftmax,
    MaxPool2d,
    Mish,
    ReLU,
    Residual,
    Scale,
    Sigmoid,
    SiLU,
    Softplus,
    Standardize,
    Tanh,
    initializers,
)
from .losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    PoissonNLLLoss,
    SquaredHingeLoss,
)
from .network import Sequential
from .optimizers import SGD, Adagrad, Adam, AdamW, NAdam, RMSprop
from .storage import load
from .training import (
    Callback,
    Checkpoint,
    DivergenceError,
    EarlyStopping,
    History,
    evaluate,
    fit,
)

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Callback",
    "Checkpoint",
    "Conv2d",
    "CrossEntropyLoss",
    "DivergenceError",
    "Dropout",
    "EarlyStopping",
    "Ensemble",
    "Flatten",
    "GradientError",
    "HingeLoss",
    "History",
    "HuberLoss",
    "Job",
    "L1Loss",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Log",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Mish",
    "NAdam",
    "NLLLoss",
    "PoissonNLLLoss",
    "RMSprop",
    "ReLU",
    "Residual",
    "Scale",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "SquaredHingeLoss",
    "Standardize",
    "Tanh",
    "TensorBoard",
    "activation",
    "datasets",
    "evaluate",
    "fit",
    "fit_many",
    "gradcheck",
    "initializers",
    "load",
    "loss",
    "loss_and_gradient",
    "minimize",
    "models",
    "permutation_importance",
    "resume",
    "schedules",
    "search",
    "space",
    "train",
    "use_backend",
]

_Above.plots = lambda: _import_module("fastbp.plots")

if _TYPE_CHECKING:
    from . import c as c
    from . import models as models
    from . import numpy_source as numpy_source
    from . import onnx as onnx
    from . import plots as plots
    from . import sklearn as sklearn
    from . import space as space
    from . import torch as torch
    from .many import Job, fit_many
    from .tabular.importance import permutation_importance
    from .tabular.train import Trained as Trained
    from .tabular.train import train
    from .training import Log, TensorBoard, loss_and_gradient, minimize, resume
    from .tuning.search import search
else:
    _LATE = {
        "many": "Job fit_many",
        "tabular.importance": "permutation_importance",
        "tabular.train": "Trained train",
        "training": "Log TensorBoard loss_and_gradient minimize resume",
        "tuning.search": "search",
    }
    _MODULES = ("c", "models", "numpy_source", "onnx", "plots", "sklearn", "space", "torch")
    __getattr__ = _late.late(
        __name__,
        _late.within(_LATE) | dict(zip(_MODULES, _MODULES, strict=True)),
        _hints.missing(__name__, "fb"),
    )


def __dir__() -> list[str]:
    """Without what may not be there: whoever walks over all of it shall not fail."""
    always = ["c", "numpy_source", "plots"]
    return [name for name in globals() if name.startswith("__")] + always + __all__
