"""One example call of every kernel on images, for the tests and the benchmarks."""

from typing import Any, NamedTuple

import numpy as np

from fastbp.kernels import KERNELS

ON_IMAGES = tuple(
    name for name in KERNELS if name.startswith(("conv2d", "max_pool2d", "avg_pool2d", "pad2d"))
)
Pair = tuple[int, int]


class Images(NamedTuple):
    """Sizes of images and of the window that goes over them."""

    channels: int
    size: Pair
    filters: int  # what a convolution's output has for channels
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (1, 2)
    groups: int = 1  # of channels and filters

    def behind(self, name: str) -> tuple[int, int, int]:
        """Channels, rows and columns of the output of a kernel."""
        if name.startswith("pad2d"):
            h, w = (size + 2 * border for size, border in zip(self.size, self.padding, strict=True))
            w += 1  # behind the image there may be more than before it
        else:
            windows = zip(self.size, self.kernel, self.stride, strict=True)
            h, w = ((size - kernel) // stride + 1 for size, kernel, stride in windows)
        return self.filters if name.startswith("conv2d") else self.channels, h, w


def images_of(n: int, i: int, o: int) -> Images:
    """Sizes by three numbers: the smaller they are the smaller, and all 1 if they are 1."""
    rng, least = np.random.default_rng([n, i, o]), min(i, o)
    size = rng.integers(1, min(least, 19), 2, endpoint=True)
    channels, filters = rng.integers(1, [min(i, 17), min(o, 17)], endpoint=True)
    kernel = rng.integers(1, np.minimum(size, 6), endpoint=True)
    stride = rng.integers(1, min(least, 3), 2, endpoint=True)
    padding = rng.integers(0, min(least - 1, 2), 2, endpoint=True)
    groups = int(rng.integers(1, min(least, 3), endpoint=True))
    pairs = (tuple(pair.tolist()) for pair in (kernel, stride, padding))
    return Images(
        int(channels) * groups, tuple(size.tolist()), int(filters) * groups, *pairs, groups
    )


def make_image_case(
    name: str, n: int, images: Images, dtype: Any, rng: np.random.Generator
) -> dict[str, Any]:
    """Arguments for one call of the kernel `name`, as ``make_case`` makes them, for n images.

    What goes into max pooling are a few whole numbers, so that a window often has its maximum
    more than once.
    """
    kernel, behind = KERNELS[name], images.behind(name)
    x, y = (n, images.channels, *images.size), (n, *behind)
    w = (images.filters, images.channels // images.groups, *images.kernel)

    def normal(shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    def pooled() -> np.ndarray:
        return rng.integers(-4, 5, x).astype(dtype)

    inputs = {
        "x": pooled if name.startswith("max_pool2d") else lambda: normal(x),
        "w": lambda: normal(w),
        "b": lambda: normal((images.filters,)),
        "dy": lambda: normal(y),
        "kernel": lambda: np.array(images.kernel, np.int64),
        "stride": lambda: np.array(images.stride, np.int64),
        "padding": lambda: np.array(images.padding, np.int64),
        "value": lambda: -0.75,
    }
    outputs = {"y": y, "dx": x, "dw": w, "db": (images.filters,)}
    return {
        argument: np.full(outputs[argument], np.nan, dtype)
        if argument in kernel.outputs
        else inputs[argument]()
        for argument in kernel.arguments
    }
