"""Names in C: what every name of a header begins with, and texts."""

from __future__ import annotations

import re
from pathlib import Path

from fastbp._files import StrPath

LONGEST = 40  # letters; with what comes behind it a name has fewer than the 63 that C promises
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
constinit continue decltype default delete do double dynamic_cast else enum explicit export
extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
nullptr operator or or_eq private protected public register reinterpret_cast requires restrict
return short signed sizeof static static_assert static_cast struct switch template this
thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
virtual void volatile wchar_t while xor xor_eq
"""
KEYWORDS = frozenset(_WORDS.split())  # of C and of C++, up to C23 and C++20


def checked_name(name: str | None, path: StrPath, where: str) -> str:
    """What all names begin with: as given, or as the file is called.

    Raises
    ------
    ValueError
        If it is no identifier of both C and C++.
    """
    told = "name" if name is not None else f"the file's name, {Path(path).name!r},"
    found = Path(path).stem if name is None else name
    if not isinstance(found, str):
        raise TypeError(f"{where}: name: expected a text, got {found!r:.60}")
    if found in KEYWORDS:
        reason = "a word of C or C++"
    elif len(found) > LONGEST:
        reason = f"of {len(found)} letters"
    elif not NAME.fullmatch(found):
        reason = "no name in C"
    else:
        return found
    raise ValueError(
        f"{where}: {told} is {found[:LONGEST]!r}, {reason}; expected at most {LONGEST} letters, "
        f"figures and single _, a letter first: name={suggestion(found)!r}, say"
    )


def suggestion(name: str) -> str:
    """A name that is allowed, as near as there is one."""
    found = "_".join(re.findall(r"[A-Za-z0-9]+", name))[: LONGEST - 4].strip("_")
    if not found[:1].isalpha() or found in KEYWORDS:
        found = f"net_{found}".strip("_")
    return found


def text(value: str) -> str:
    """A string's literal, its letters as UTF-8; none of its bytes is taken for anything else."""
    plain = set(range(32, 127)) - {*b'"\\?$'}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in value.encode()) + '"'


def comment(value: str) -> str:
    """What may stand in a comment, on one line."""
    for wrong, right in (("*/", "* /"), ("/*", "/ *"), ("\\", "/")):
        value = value.replace(wrong, right)
    return "".join(letter if letter.isprintable() else " " for letter in value)
