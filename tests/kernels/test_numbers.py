"""native/numbers.pxd repeats numbers.py for C, name by name; nothing else defines such a number."""

import re
from collections import Counter
from pathlib import Path

from fastbp.kernels import numbers

NATIVE = Path(numbers.__file__).parent / "native"
ENUM = re.compile(r"^( *)(?:cdef |cpdef |ctypedef )?enum *(\w*):(?: *# *(\w+))?$")


def enums_of(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """The enums of a .pxd file: a name, if it has one, and (member, expression) pairs."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    inside = None  # how far the enum that we are in is indented
    for line in text.splitlines():
        if start := ENUM.match(line):
            inside = len(start[1])
            found.append((start[2] or start[3] or "", []))
        elif inside is not None and line.strip():
            if len(line) - len(line.lstrip()) <= inside:
                inside = None
            elif member := re.match(r" *(\w+)(?: *= *([^#]+?))? *(?:#.*)?$", line):
                found[-1][1].append((member[1], member[2] or ""))
    return found


def values_of(members: list[tuple[str, str]]) -> dict[str, int]:
    """The values that C gives to an enum's members."""
    values: dict[str, int] = {}
    following = 0
    for name, expression in members:
        values[name] = int(eval(expression, {}, values)) if expression else following
        following = values[name] + 1
    return values


def test_numbers_for_c_are_those_of_python() -> None:
    native = enums_of((NATIVE / "numbers.pxd").read_text())
    expected = [(enum.__name__, dict(enum.__members__.items())) for enum in numbers.ENUMS]
    assert [(name, values_of(members)) for name, members in native] == expected


def test_every_enum_is_listed() -> None:
    defined = [
        e
        for e in vars(numbers).values()
        if isinstance(e, type) and e.__module__ == numbers.__name__
    ]
    assert defined == list(numbers.ENUMS)


def test_no_name_has_two_meanings() -> None:
    names = Counter(name for enum in numbers.ENUMS for name in enum.__members__)
    assert [name for name, count in names.items() if count > 1] == []


def test_no_other_native_source_defines_such_a_number() -> None:
    shared = {name for enum in numbers.ENUMS for name in enum.__members__}
    for path in sorted(NATIVE.glob("*.p*")):
        text = path.read_text()
        if path.name != "numbers.pxd":
            members = {name for _, members in enums_of(text) for name, _ in members}
            in_c = set(re.findall(r"\w+", " ".join(re.findall(r"enum \{([^}]*)\}", text))))
            assert not shared & (members | in_c), path.name


def test_elementwise_kinds_lie_together() -> None:
    kinds = {kind.name for kind in numbers.Kind if numbers.is_elementwise(kind)}
    norms = "COLUMN_SCALE STANDARDIZE BATCH_NORM LAYER_NORM"
    others = f"DENSE LOG_SOFTMAX DROPOUT {norms} CONV MAX_POOL AVG_POOL FLATTEN FORK ADD"
    assert kinds == {kind.name for kind in numbers.Kind} - set(others.split())
