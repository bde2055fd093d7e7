"""What to write in place of a name that is not here: of a module, of an object, of an option.

The names that other libraries have for what is here, or have besides, are in ``_guesses``. Any
other name is compared with those that there are.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from ._guesses import NAMES, OPTIONS, WORDS

Init = TypeVar("Init", bound=Callable[..., None])


class Also:
    """Another library's name for an attribute: it is read, set and given to constructors by both.

    >>> class Linear(Layer):
    ...     in_features = Also("inputs")
    """

    def __init__(self, name: str) -> None:
        self.name = name

    if TYPE_CHECKING:

        def __get__(self, obj: Any, owner: type | None = None) -> Any: ...

    else:

        def __get__(self, obj, owner=None):
            return self if obj is None else getattr(obj, self.name)

    def __set__(self, obj: Any, value: Any) -> None:
        setattr(obj, self.name, value)


def refuse(thing: object, name: str) -> NoReturn:
    """An object has no such attribute: what its ``__getattr__`` does with other names.

    The words come when somebody reads them, for most are asked for by ``hasattr``.
    """
    kind = type(thing)
    if hasattr(kind, name):  # a property, which failed: it says why itself
        object.__getattribute__(thing, name)
    raise AttributeError(_Words(kind, name))


class _Words:
    """The message of an AttributeError, put into words when it is read."""

    def __init__(self, kind: type, name: str) -> None:
        self.kind, self.name = kind, name

    def __str__(self) -> str:
        text = f"{self.kind.__name__!r} object has no attribute {self.name!r}"
        known = () if self.name.startswith("_") else dir(self.kind)
        return text + _hint(self.name, _rows(NAMES, self.kind), known)

    __repr__ = __str__

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (str(self),)  # as it reads, wherever an exception is sent to


def missing(module: str, shown: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module, which users know as ``shown``: what to write for a name."""

    def __getattr__(name: str) -> Any:  # noqa: N807 - what a module calls it
        text = f"module {module!r} has no attribute {name!r}"
        known = () if name.startswith("_") else dir(sys.modules[module])
        known = [f"{shown}.{each}" for each in known]
        rows = [NAMES.get(module, {}), NAMES["fastbp"]]
        raise AttributeError(text + _hint(name, rows, known))

    return __getattr__


def _rows(table: dict[str, dict[str, str]], kind: type) -> list[dict[str, str]]:
    """What a table has of a class and of those that it comes from."""
    return [table[each.__name__] for each in kind.__mro__ if each.__name__ in table]


def _hint(name: str, rows: Iterable[dict[str, str]], known: Iterable[str]) -> str:
    """What follows a message: what to write in place of the name, or which one is like it."""
    for row in rows:
        if name in row:
            return f": {row[name]}"
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Which of the names is like it; "" if none is."""
    plain = {_plain(each): each for each in known}
    plain.pop("", None)
    if not plain:
        return ""
    import difflib

    near = difflib.get_close_matches(_plain(name), plain, 1)
    return plain[near[0]] if near else ""


def meant(word: object, known: Iterable[str]) -> str:
    """What ends a message about a word that is not known: which one it may stand for."""
    words = [*known]
    near = WORDS.get(str(word).lower().replace("-", "_"), "")
    near = near if near in words else nearest(str(word), words)
    return f"; did you mean {near!r}?" if near else ""


def _plain(name: str) -> str:
    """What is compared: the name itself, whatever is before it and however its words are set."""
    own = name.rpartition(".")[2]
    return "" if own.startswith("_") else own.replace("_", "").replace("-", "").lower()


def _helpful(init: Init) -> Init:
    """A constructor whose complaints about its arguments say what to write."""
    signature = inspect.signature(init)
    of = init.__qualname__.rpartition(".")[0].rpartition(".")[2]

    @functools.wraps(init)
    def helpful(self: Any, *args: Any, **options: Any) -> None:
        kind = type(self)
        name = kind.__name__ if kind.__init__ is helpful else of
        options = _translated(kind, name, options, signature) if options else options
        try:
            init(self, *args, **options)
        except TypeError:
            try:
                signature.bind(self, *args, **options)
            except TypeError as problem:
                complaint = _complaint(kind, name, problem, options, signature)
                raise TypeError(complaint) from None
            raise  # the arguments are not to blame

    return cast("Init", helpful)


def _translated(
    kind: type, name: str, options: dict[str, Any], signature: inspect.Signature
) -> dict[str, Any]:
    """The options by the names that they have here."""
    found: dict[str, Any] = {}
    for option, value in options.items():
        also = None if option in signature.parameters else getattr(kind, option, None)
        own = also.name if isinstance(also, Also) else option
        own = own if own in signature.parameters else option
        if own in found or (own != option and own in options):
            raise TypeError(f"{name}: {option} is another name of {own}; give one of them")
        found[own] = value
    return found


def _complaint(
    kind: type, name: str, problem: TypeError, options: dict[str, Any], signature: inspect.Signature
) -> str:
    own = [each for each in signature.parameters.values() if each.name != "self"]
    known = [each.name for each in own if each.kind is not each.VAR_POSITIONAL]
    takes = f"{name}({', '.join(str(each.replace(annotation=each.empty)) for each in own)})"
    for option in options:
        if option not in known:
            hint = _hint(option, _rows(OPTIONS, kind), known)
            return f"{name} has no option {option!r}{hint or f'; it is {takes}'}"
    return f"{name}: {problem}; it is {takes}"


class Guessed:
    """What layers, losses, optimisers and networks share: options and names by which one may guess.

    Options that a constructor does not have are refused with what to write, and by the names that
    are ``Also`` of one it has it takes them.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if inspect.isfunction(vars(cls).get("__init__")):
            cls.__init__ = _helpful(vars(cls)["__init__"])  # type: ignore[method-assign]

    @_helpful
    def __init__(self) -> None:
        """Nothing to choose."""

    if not TYPE_CHECKING:  # which know all names that there are

        def __getattr__(self, name):
            refuse(self, name)
