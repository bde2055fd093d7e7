"""Modules for the layers that PyTorch has not. They may be copied to where fastbp is not.

They are written so that torch.export and TorchScript take them.
"""

import torch
from torch import nn

__all__ = ["Residual", "Scale", "Standardize"]


class Residual(nn.Sequential):
    """y = x + modules(x), ``fb.Residual``.

    Examples
    --------
    >>> module = fb.torch.to_torch(fb.Sequential(fb.Residual(fb.Linear(4, 4))))
    >>> type(module[0]).__name__
    'Residual'
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the modules one after another, and add x."""
        y = x
        for module in self:
            y = module(y)
        return x + y


class Scale(nn.Module):
    """y = x · weight, column by column: ``fb.Scale``.

    Examples
    --------
    >>> fb.torch.Scale(4)(torch.ones(2, 4)).shape
    torch.Size([2, 4])
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply each column."""
        return x * self.weight

    def extra_repr(self) -> str:
        """What stands in brackets."""
        return str(self.num_features)


class Standardize(nn.Module):
    """y = (x - mean) / std, with fixed numbers for each column or channel: ``fb.Standardize``.

    Examples
    --------
    >>> module = fb.torch.to_torch(fb.Sequential(fb.Standardize.of(x), fb.Linear(4, 3)))
    >>> type(module[0]).__name__
    'Standardize'
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.register_buffer("mean", torch.zeros(columns))
        self.register_buffer("std", torch.ones(columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Subtract and divide; of images, each number of a channel by the channel's."""
        each = x[:1].numel() // self.columns
        mean = self.mean.repeat_interleave(each).view(x.shape[1:])
        std = self.std.repeat_interleave(each).view(x.shape[1:])
        return (x - mean) / std

    def extra_repr(self) -> str:
        """What stands in brackets."""
        return str(self.columns)
