"""What users pass in for arrays, as plain arrays of NumPy; and where numbers in them are wrong.

What carries more than numbers (a mask, a unit) is refused by name: as plain arrays the rest of it
would be lost in silence. No library that such arrays come from is imported for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._tensors import is_tensor, numbers_of

PLAIN = (np.ndarray, float, int, bool, str, np.float64, np.float32, np.int64)
PART = 1 << 17  # numbers that stay in a processor's cache
ADVICE = {  # by the kind of a dtype
    "U": "encode words as numbers first, e.g. np.unique(words, return_inverse=True)[1]",
    "M": "turn times into numbers first, e.g. (x - x.min()) / np.timedelta64(1, 's')",
    "m": "turn times into numbers first, e.g. x / np.timedelta64(1, 's')",
    "c": "take the real and imaginary parts, x.real and x.imag, as columns of their own",
    "V": "put the fields side by side as columns, e.g. "
    "np.lib.recfunctions.structured_to_unstructured(x)",
    "O": "convert it, x.astype(float), and encode text and categories as numbers first",
    "b": "convert them, x.astype(int)",
    "f": "convert them, x.astype(int)",
}
ADVICE["S"] = ADVICE["T"] = ADVICE["U"]


def as_array(a: npt.ArrayLike, name: str) -> np.ndarray:
    """`a` as a plain array, which shares its numbers where it can."""
    if type(a) is np.ndarray:
        return a
    if is_tensor(a):
        return numbers_of(a, name)
    _refuse_more_than_numbers(a, name)
    if callable(getattr(a, "to_numpy", None)):
        return _from_table(a, name)
    try:
        return np.asarray(a)
    except ValueError as problem:  # NumPy's word for rows of unequal length
        raise ValueError(f"{name}: expected rows of equal length; {problem}") from None
    except (TypeError, RuntimeError, OverflowError) as problem:
        raise TypeError(f"{name}: expected numbers; {problem}") from None


def _refuse_more_than_numbers(a: Any, name: str) -> None:
    """Masks, sparsity, units, and a history of gradients."""
    if isinstance(a, (list, tuple)):
        for part in a:
            if type(part) not in PLAIN:
                _refuse_more_than_numbers(part, name)
        return
    kind = type(a)
    if isinstance(a, np.ndarray) and hasattr(a, "mask"):
        # Refused with its mask, whatever that hides: a part must be taken as the whole is.
        if np.ndim(a.mask) or np.any(a.mask):
            raise TypeError(
                f"{name}: got a masked array, {np.count_nonzero(a.mask)} of whose values are "
                "masked; fill them, x.filled(value), or leave those rows out"
            )
    elif hasattr(kind, "nnz"):
        dense = "toarray" if hasattr(a, "toarray") else "todense"
        raise TypeError(
            f"{name}: got {kind.__name__}, which is sparse; pass all of its numbers, x.{dense}()"
        )
    elif getattr(a, "requires_grad", False) is True:
        raise TypeError(f"{name}: got a tensor that requires a gradient; pass x.detach().numpy()")
    elif any(hasattr(kind, unit) for unit in ("unit", "units")) and _kind_of(a) not in ("m", "M"):
        raise TypeError(
            f"{name}: got {kind.__name__} with a unit; pass its numbers, x.value or x.magnitude"
        )


def _kind_of(a: Any) -> str:
    return str(getattr(getattr(a, "dtype", None), "kind", ""))


def _from_table(a: Any, name: str) -> np.ndarray:
    """A DataFrame's or Series' numbers, whose columns may be of several types."""
    try:
        array = np.asarray(a)
        dtypes: Any = getattr(a, "dtypes", None)
        columns = list(dtypes.items()) if hasattr(dtypes, "items") else [("", dtypes)]
        others = [str(c) for c, dtype in columns if getattr(dtype, "kind", "O") not in "biuf"]
        if array.dtype.kind == "O" and not others:
            # Whole numbers beside real ones, or with gaps: those become NaN.
            return np.asarray(a.to_numpy(np.float64, na_value=np.nan))
    except (TypeError, ValueError, RuntimeError) as problem:
        raise TypeError(f"{name}: expected numbers; {problem}") from None
    if array.dtype.kind == "O" and array.ndim > 1 and any(others):
        raise TypeError(
            f"{name}: expected numbers, got {type(a).__name__} with something else in "
            f"{', '.join(map(repr, others[:5]))}{', …' if len(others) > 5 else ''}; turn it into "
            "numbers (np.unique(words, return_inverse=True)[1] numbers words), or leave it out"
        )
    return array


def described(array: np.ndarray) -> str:
    """A dtype that is refused, and what to do."""
    advice = ADVICE.get(array.dtype.kind)
    return f"dtype {array.dtype}" + (f"; {advice}" if advice else "")


# Numbers


def is_whole(x: np.ndarray) -> np.ndarray:
    """Tell of each number whether it is a finite whole one."""
    return np.isfinite(x) & (np.trunc(x) == x)


def all_finite(x: np.ndarray) -> bool:
    """Tell whether x has neither NaN nor infinity, without an array of booleans."""
    with np.errstate(over="ignore", invalid="ignore"):
        # One pass, whose sum may overflow; then min and max decide.
        return bool(np.isfinite(x.sum()) or (np.isfinite(x.min()) and np.isfinite(x.max())))


def check_samples(x: np.ndarray, name: str, dtype: np.dtype, scale: float = 1.0) -> None:
    """Refuse NaN, infinity, and what x * scale in dtype makes infinite, and say where."""
    if _grows(x, dtype, scale):
        if _is_within(x, dtype, scale):
            return
        check_range(x, name, dtype, scale)
    check_finite(x, name)


def check_finite(x: np.ndarray, name: str) -> None:
    """Refuse NaN and infinity in (n, ...) numbers, and say where."""
    if x.dtype.kind == "f" and x.size and not all_finite(x):
        where = _first(~np.isfinite(x))
        raise ValueError(
            f"{name}: {_named(x[where])} at {_place(where)}; drop or fill in such samples first"
        )


def check_range(x: np.ndarray, name: str, dtype: np.dtype, scale: float = 1.0) -> None:
    """Refuse finite numbers that, or times scale, are infinite in dtype, and say where."""
    if not _grows(x, dtype, scale) or _is_within(x, dtype, scale):
        return
    with np.errstate(over="ignore", invalid="ignore"):
        beyond = np.isfinite(x) & (np.abs(x) * max(scale, 1.0) > float(np.finfo(dtype).max))
    if beyond.any():
        where, factor = _first(beyond), "" if scale == 1 else f" * {scale:g}"
        raise ValueError(
            f"{name}: {x[where]:g}{factor} at {_place(where)} is too large for {dtype}; "
            "use a network of dtype='float64', or scale the data"
        )


def _grows(x: np.ndarray, dtype: np.dtype, scale: float) -> bool:
    """Whether x * scale in dtype may be infinite where x is not."""
    return scale > 1 or x.dtype.itemsize > dtype.itemsize


def _is_within(x: np.ndarray, dtype: np.dtype, scale: float) -> bool:
    """Whether all numbers are finite and stay so; each part is read once, while it is near."""
    if not x.size:
        return True
    flat, edges = x.reshape(-1), []
    with np.errstate(invalid="ignore"):
        for start in range(0, flat.size, PART):
            part = flat[start : start + PART]
            edges += [abs(float(part.min())), abs(float(part.max()))]
    return bool(np.max(edges) * max(scale, 1.0) <= np.finfo(dtype).max)  # NaN is not


def _first(where: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(where.argmax()), where.shape))


def _named(number: Any) -> str:
    return "NaN" if number != number else str(number)


def _place(where: Iterable[int]) -> str:
    """Row and column; of images, where in them."""
    row, *rest = where
    if not rest:
        return f"row {row}"
    return f"row {row}, column {rest[0]}" if len(rest) == 1 else f"row {row}, at {tuple(rest)}"
