"""Numbers and texts that programs tend to be wrong about, and ways to put them into files.

Every mutator takes a random.Random and returns new bytes (or new data), so that a file follows
from a seed alone.
"""

import json
import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

WHOLE = [
    *(0, 1, 2, 3, 7, -1, -2, 255, 256, 14000, 10**5, 10**6, 2**16, 2**29 - 14, 2**31 - 1, 2**31),
    *(2**32, 2**32 - 1, 2**50, 2**53, 2**60, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64),
    *(-(2**31), -(2**63), -(2**63) - 1, 10**30, 10**400),
]
REAL = [0.0, -0.0, 0.5, -1.5, 1e-320, 1e-45, 1e38, 3.5e38, 1e300, -1e308]
ODD = [float("nan"), float("inf"), float("-inf"), None, True, False, "", "x", "0", [], {}, [[]]]
TEXTS = [
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "NaN",
        "1e400",
        "-1e400",
        "1e-400",
        "0x10",
        "1_000",
        "١٢",
        "−1",
    ),
    *("true", "false", "''", '""', '"', '"""', "[]", "{}", "\x00", "\ufeff", "ü", "💥", "é" * 300),
    *(
        "null",
        "1" * 400,
        "9" * 5000,
        "[" * 2000,
        "{a=" * 500,
        "#",
        "=",
        ",",
        ",,,,",
        ";",
        "\r",
        "\n",
    ),
]
NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def value(random: Random) -> Any:
    """A value for a setting: mostly a number."""
    return random.choice(random.choice((WHOLE, WHOLE, REAL, ODD)))


def word(random: Random) -> bytes:
    """Something in place of a number in a text."""
    if random.random() < 0.6:
        number = random.choice(WHOLE + REAL)
        return (str(number) if abs(number) < 10**300 else f"1{'0' * 400}").encode()
    return random.choice(TEXTS).encode()


# On bytes


def flip(random: Random, data: bytes) -> bytes:
    """Turn a few bits."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def truncate(random: Random, data: bytes) -> bytes:
    """Leave the beginning."""
    return data[: random.randrange(len(data) + 1)]


def duplicate(random: Random, data: bytes) -> bytes:
    """Write a part twice or more."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * random.choice((1, 1, 2, 20)) + data[end:]


def cut(random: Random, data: bytes) -> bytes:
    """Leave a part out."""
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def insert(random: Random, data: bytes) -> bytes:
    """Put random bytes or a strange word somewhere."""
    at = random.randrange(len(data) + 1)
    size = random.choice((1, 1, 4, 64))
    new = random.choice((word(random), random.randbytes(size), b"\xff" * size, b"\0" * size))
    return data[:at] + new + data[at:]


def lie(random: Random, data: bytes) -> bytes:
    """Put a whole number over 1, 2, 4 or 8 bytes, mostly near the beginning, as headers have it."""
    size = random.choice((1, 2, 4, 4, 8))
    end = len(data) if random.random() < 0.3 else min(len(data), 64)
    if end < size:
        return data
    at = random.randrange(end - size + 1)
    number = random.choice(WHOLE) % (1 << 8 * size)
    return data[:at] + number.to_bytes(size, random.choice(("little", "big"))) + data[at + size :]


BYTES: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(flip, flip, truncate, duplicate, cut, insert, lie, lie, lie),
)


# On texts


def number_in_text(random: Random, data: bytes) -> bytes:
    """Put something else in place of a number."""
    places = list(NUMBER.finditer(data))
    if not places:
        return insert(random, data)
    place = random.choice(places)
    return data[: place.start()] + word(random) + data[place.end() :]


def words_swapped(random: Random, data: bytes) -> bytes:
    """Put one word of a text in another's place."""
    places = list(re.finditer(rb"[^\s,=\[\]{}\"]+", data))
    if not places:
        return data
    there, other = random.choice(places), random.choice(places)
    return data[: there.start()] + other[0] + data[there.end() :]


def lines_changed(random: Random, data: bytes) -> bytes:
    """Leave out, repeat or swap lines."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    here, there = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(4)
    if kind == 0:
        del lines[here]
    elif kind == 1:
        lines.insert(there, lines[here])
    elif kind == 2:
        lines[here], lines[there] = lines[there], lines[here]
    else:
        lines[here] = lines[here] * random.choice((2, 50))
    return b"".join(lines)


TEXT = (number_in_text, number_in_text, number_in_text, words_swapped, lines_changed)


# On data


def in_json(random: Random, data: Any) -> Any:
    """The same data with something changed, somewhere in its depths; texts that are JSON too."""
    if isinstance(data, str) and data[:1] in ("[", "{") and random.random() < 0.9:
        try:
            return json.dumps(in_json(random, json.loads(data)))
        except ValueError:
            return data
    if not isinstance(data, (dict, list)) or not data or random.random() < 0.1:
        return value(random)
    changed: Any = data.copy()
    at = random.choice([*data] if isinstance(data, dict) else range(len(data)))
    kind = random.random()
    if kind < 0.75:
        changed[at] = in_json(random, data[at])
    elif kind < 0.85:
        del changed[at]
    elif isinstance(data, list):
        changed.insert(at, random.choice(data))
    else:
        changed[random.choice((*data, "more"))] = random.choice([*data.values()])
    return changed


def safetensors(random: Random, data: bytes) -> bytes:
    """Change the header's JSON; its length is right again, so that more than that is looked at."""
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8 : 8 + size])
    for _ in range(random.choice((1, 1, 2, 3))):
        part = random.choice(("__metadata__", "__metadata__", *header))
        header[part] = in_json(random, header.get(part, {}))
    try:
        text = json.dumps(header).encode()
    except ValueError:  # a whole number of too many digits for Python to write
        return data
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def several(
    random: Random, data: bytes, mutators: Sequence[Callable[[Random, bytes], bytes]]
) -> bytes:
    """Change a file one or more times, each time in one of the ways."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(mutators)(random, data)
    return data


def spliced(random: Random, data: bytes, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]
