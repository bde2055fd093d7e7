"""The one table of layers: how each is written, and of what nodes it is read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from fastbp.layers import (
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
)

from . import read, read_images, written


class Form(NamedTuple):
    """A layer in ONNX."""

    write: written.Write
    reads: Mapping[str, read.Read] = MappingProxyType({})  # by operator


LAYERS: dict[type[Layer], Form] = {
    Linear: Form(written.linear, {"Gemm": read.gemm, "MatMul": read.matmul, "Add": read.add}),
    ReLU: Form(written.plain("Relu"), {"Relu": read.plain(ReLU), "Clip": read.clip}),
    ELU: Form(written.plain("Elu", alpha="alpha"), {"Elu": read.plain(ELU, alpha="alpha")}),
    LeakyReLU: Form(
        written.plain("LeakyRelu", alpha="negative_slope"),
        {"LeakyRelu": read.plain(LeakyReLU, alpha="negative_slope")},
    ),
    SELU: Form(written.plain("Selu"), {"Selu": read.plain(SELU)}),
    Tanh: Form(written.plain("Tanh"), {"Tanh": read.plain(Tanh)}),
    Sigmoid: Form(written.plain("Sigmoid"), {"Sigmoid": read.plain(Sigmoid)}),
    SiLU: Form(written.silu),
    Mish: Form(written.mish, {"Mish": read.plain(Mish)}),
    Softplus: Form(written.softplus, {"Softplus": read.plain(Softplus)}),
    GELU: Form(written.gelu, {"Gelu": read.plain(GELU, approximate="approximate")}),
    LogSoftmax: Form(written.plain("LogSoftmax"), {"LogSoftmax": read.log_softmax}),
    Conv2d: Form(written.convolution, {"Conv": read_images.convolution}),
    MaxPool2d: Form(
        written.max_pool,
        {
            "MaxPool": read_images.pool(MaxPool2d),
            "GlobalMaxPool": read_images.global_pool(MaxPool2d),
        },
    ),
    AvgPool2d: Form(
        written.avg_pool,
        {
            "AveragePool": read_images.pool(AvgPool2d),
            "GlobalAveragePool": read_images.global_pool(AvgPool2d),
            "ReduceMean": read_images.mean,
        },
    ),
    Flatten: Form(
        written.plain("Flatten"), {"Flatten": read_images.flatten, "Reshape": read_images.reshape}
    ),
    Dropout: Form(written.nothing, {"Dropout": read.nothing}),
    BatchNorm1d: Form(written.batch_norm, {"BatchNormalization": read.batch_norm}),
    BatchNorm2d: Form(written.batch_norm),  # read as the other, by the samples' shape
    LayerNorm: Form(written.layer_norm, {"LayerNormalization": read.layer_norm}),
    Scale: Form(written.scale, {"Mul": read.multiply}),
    Standardize: Form(
        written.standardize, {"Sub": read.subtract, "Div": read.divide, "Scaler": read.scaler}
    ),
    Residual: Form(written.residual),
}

READS: dict[str, read.Read] = {
    "Identity": read.nothing,
    "Cast": read.cast,
    "Softmax": read.softmax,
    **{op: each for form in LAYERS.values() for op, each in form.reads.items()},
}
