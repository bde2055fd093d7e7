"""One test that goes through many cases, and names those that fail.

A test of its own costs three milliseconds: of pytest, and of telling another process about it.
Where cases are many and take less, ``for_each`` stands in the place of ``pytest.mark.parametrize``.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

Test = Callable[..., None]


def for_each(
    names: str | tuple[str, ...], cases: Iterable[Any], by: tuple[str, ...] = ()
) -> Callable[[Test], Test]:
    """Call a test with every case, which is given as to ``parametrize``, and with its fixtures.

    Random numbers begin anew with each. Cases that differ in a name of ``by`` are tests apart. The
    test is skipped where every case is.
    """
    names = (names,) if isinstance(names, str) else names
    rows = [dict(zip(names, case if len(names) > 1 else (case,), strict=True)) for case in cases]

    def made(test: Test) -> Test:
        @functools.wraps(test)
        def through_all(**given: Any) -> None:
            failed: list[Exception] = []
            skipped: list[BaseException] = []
            mine = [row for row in rows if all(row[name] == given[name] for name in by)]
            for row in mine:
                try:
                    test(**_anew(given) | row)
                except pytest.skip.Exception as reason:
                    skipped.append(reason)
                except BaseException as problem:
                    problem.add_note(f"case: {row}"[:300])
                    if not isinstance(problem, Exception):  # the time is over
                        raise
                    failed.append(problem)
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(mine)} cases", failed)
            if mine and len(skipped) == len(mine):
                raise skipped[0]

        parameters = inspect.signature(test).parameters.values()
        others = [p for p in parameters if p.name in by or p.name not in names]
        through_all.__signature__ = inspect.Signature(others)  # the fixtures that it asks for
        apart = dict.fromkeys(tuple(row[name] for name in by) for row in rows)
        return pytest.mark.parametrize(by, list(apart))(through_all) if by else through_all

    return made


def _anew(given: dict[str, Any]) -> dict[str, Any]:
    """The fixtures, with random numbers that begin anew."""
    return {
        name: copy.deepcopy(value) if isinstance(value, np.random.Generator) else value
        for name, value in given.items()
    }
