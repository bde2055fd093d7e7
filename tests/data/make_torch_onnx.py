"""Writes torch_onnx.npz beside itself: modules as PyTorch 2.13.0's exporters write them as ONNX.

Of each module there are the file's bytes, samples, and what the module makes of them; of the newer
exporter also the bytes of the weights that it puts beside the file.

It needs torch==2.13.0, onnx, onnxscript and numpy; the tests, which read the file, do not:

    python tests/data/make_torch_onnx.py
"""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

SEED, SAMPLES, OPSET = 3, 4, 18


class View(nn.Module):
    """Rows of images, as people write it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.size(0), -1)


class Block(nn.Module):
    """A sum around layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.norm(torch.relu(self.conv(x))))


ACTIVATIONS = (
    *(nn.GELU(), nn.SiLU(), nn.Mish(), nn.GELU("tanh"), nn.ELU(0.5), nn.LeakyReLU(0.2)),
    *(nn.SELU(), nn.Softplus(), nn.Tanh(), nn.Sigmoid()),
)
MODULES: dict[str, tuple[tuple[int, ...], nn.Sequential]] = {
    "classes": (
        (4,),
        nn.Sequential(
            *(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(0.2), nn.Linear(5, 3), nn.Softmax(-1))
        ),
    ),
    "activations": (
        (4,),
        nn.Sequential(
            *(part for each in ACTIVATIONS for part in (nn.Linear(4, 4), each)),
            nn.Linear(4, 2, bias=False),
            nn.LogSoftmax(1),
        ),
    ),
    "norms": (
        (4,),
        nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.LayerNorm(6), nn.Linear(6, 2)),
    ),
    "images": (
        (1, 12, 12),
        nn.Sequential(
            *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(4, 6, 2, stride=2, groups=2), nn.AvgPool2d(3), nn.Flatten()),
            nn.Linear(6, 2),
        ),
    ),
    "residual": (
        (1, 6, 6),
        nn.Sequential(
            *(nn.Conv2d(1, 3, 4, padding="same"), Block(3), nn.AdaptiveAvgPool2d(1), View()),
            nn.Linear(3, 2),
        ),
    ),
}


def exported(module: nn.Module, x: torch.Tensor, dynamo: bool) -> dict[str, np.ndarray]:
    """The files' bytes."""
    options: dict[str, Any] = {"dynamic_axes": {"x": {0: "n"}}}
    if dynamo:
        options = {"dynamic_shapes": ({0: torch.export.Dim("n")},), "verbose": False}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "net.onnx")
        named = {"input_names": ["x"], "opset_version": OPSET}
        torch.onnx.export(module, (x,), path, dynamo=dynamo, **named, **options)
        files = {"": path, ".data": Path(f"{path}.data")}
        return {
            end: np.frombuffer(file.read_bytes(), np.uint8)
            for end, file in files.items()
            if file.exists()
        }


def main() -> None:
    torch.manual_seed(SEED)
    arrays = {}
    for name, (shape, module) in MODULES.items():
        module.eval()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
        x = torch.randn(SAMPLES, *shape)
        arrays |= {f"{name}.x": x.numpy(), f"{name}.y": module(x).detach().numpy()}
        for how in ("old", "new"):
            files = exported(module, x, how == "new")
            arrays |= {f"{name}.{how}{end}": data for end, data in files.items()}
    np.savez_compressed(Path(__file__).with_name("torch_onnx.npz"), **arrays)


if __name__ == "__main__":
    main()
