"""The parts of a model by the names that text has for them."""

from pathlib import Path

from fastbp.layers import ELU, Layer, ReLU, Sigmoid, Tanh
from fastbp.losses import CrossEntropyLoss, HingeLoss, Loss, NLLLoss
from fastbp.optimizers import SGD, Adam, AdamW, Optimizer

NAMED: dict[str, Path] = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.toml"))}
ACTIVATIONS: dict[str, type[Layer]] = {"relu": ReLU, "elu": ELU, "tanh": Tanh, "sigmoid": Sigmoid}
LOSSES: dict[str, type[Loss]] = {
    "hinge": HingeLoss,
    "cross-entropy": CrossEntropyLoss,
    "nll": NLLLoss,
}
OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
