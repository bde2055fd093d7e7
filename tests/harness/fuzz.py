"""Breaks good files in many ways, reads them, and looks for more than a refusal.

    python tests/harness/fuzz.py --inputs 200000 --seed 1

Everything follows from the seed. What leads to a finding is kept in a folder, and the command
that repeats it is printed. Exit code 1 if there is any.
"""

import argparse
import builtins
import gzip
import json
import shutil
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

import evil
import samples
import workers
from loaders import CHECKS, PEAK, PEAK_OF_OTHERS, Check, OddError
from samples import Files
from workers import Found, Limits

KINDS = tuple(samples.MAKERS)
ALLOWED = (ValueError, TypeError, OSError)
TEXTS = {"csv", "log", "model.toml", "explain.toml"}


def broken(kind: str, random: Random) -> Files:
    """Files of a kind with something wrong, or nothing, in one of them."""
    files = dict(random.choice(samples.of(kind)))
    name = random.choice(sorted(files))
    files[name] = broken_file(kind, name, files[name], random)
    if len(files) > 1 and random.random() < 0.05:
        del files[random.choice(sorted(files))]
    return files


def broken_file(kind: str, name: str, data: bytes, random: Random) -> bytes:
    """One file, broken in the ways of its format, or as bytes alone."""
    if random.random() < 0.05:
        other = random.choice(samples.of(kind))
        return evil.spliced(random, data, random.choice(sorted(other.values())))
    if random.random() < 0.02:
        return random.choice((b"", samples.pickled(), random.randbytes(200), b"\0" * 5000))
    deep = random.random() < 0.75
    if name.endswith(".gz") and deep:
        inside = broken_file(kind, name.removesuffix(".gz"), gzip.decompress(data), random)
        return gzip.compress(inside, 1, mtime=0)
    if name.endswith(".npz") and deep:
        return broken_npz(data, random)
    if name.endswith(".safetensors") and deep:
        return evil.safetensors(random, data)
    if name.endswith(".json") and deep:
        return json.dumps(evil.in_json(random, json.loads(data))).encode()
    if name.endswith((".csv", ".tsv", ".toml")) and deep:
        return evil.several(random, data, evil.TEXT)
    if name.endswith(".png") and deep:
        return evil.several(random, data, (broken_png,))
    return evil.several(random, data, evil.BYTES)


def broken_npz(data: bytes, random: Random) -> bytes:
    """A zip file whose checksums are right, of arrays that are not."""
    files = samples.members(data)
    name = random.choice(sorted(files))
    kind = random.random()
    if kind < 0.1:
        files[random.choice(("x", "y", "x_train", "more", "../x")) + ".npy"] = files.pop(name)
    elif kind < 0.2:
        files[name] = files[random.choice(sorted(files))]
    elif kind < 0.6:  # the header is text, padded, so that lengths may stay as they are
        start, end = 10, files[name].find(b"\n") + 1
        header = evil.several(random, files[name][start:end], evil.TEXT)
        size = len(header).to_bytes(4, "little")[:2]
        files[name] = files[name][:8] + size + header + files[name][end:]
    else:
        files[name] = evil.several(random, files[name], evil.BYTES)
    return samples.zipped(files)


def broken_png(random: Random, data: bytes) -> bytes:
    """Change a chunk; its checksum is right again."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return data
    chosen = random.randrange(len(chunks))
    kind, content = chunks[chosen]
    if random.random() < 0.2:
        chunks.insert(random.randrange(len(chunks) + 1), chunks[chosen])
    elif kind == b"IDAT" and random.random() < 0.5:
        try:
            inside = evil.several(random, zlib.decompress(content), evil.BYTES)
        except zlib.error:
            inside = content
        chunks[chosen] = kind, zlib.compress(inside)
    else:
        chunks[chosen] = kind, evil.several(random, content, evil.BYTES)
    parts = [
        len(content).to_bytes(4, "big")
        + kind
        + content
        + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    ]
    return data[:8] + b"".join(parts)


def examine(check: Check, folder: Path, random: Random, most: int) -> str | None:
    """Read what lies in a folder; what is wrong with how that went, if anything."""
    workers.forget_peak()
    before = workers.resident()
    try:
        check(folder, random)
    except OddError as odd:
        return f"was read, but: {odd}"
    except ALLOWED as problem:
        if str(folder) not in str(problem):
            return f"the path is missing in {workers.raised(problem)}"
    except BaseException as problem:
        return workers.raised(problem)
    if getattr(builtins, samples.CANARY, False):
        delattr(builtins, samples.CANARY)
        return "it executed code"
    if workers.peak() - before > most:
        return f"took {workers.peak() - before >> 20} MB of memory"
    return None


def write(files: Files, folder: Path) -> None:
    """Make a folder of files."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def task(seed: int, kinds: Sequence[str], checks: Mapping[str, Check], keep: Path) -> workers.Task:
    """What a process does with the number of an input."""
    own = Path(tempfile.mkdtemp(dir=keep, prefix="."))

    def one(number: int) -> str | None:
        kind = kinds[number % len(kinds)]
        folder = own / f"{number}-{kind}"
        write(broken(kind, Random(f"{seed} {number}")), folder)
        most = PEAK.get(kind, PEAK_OF_OTHERS)
        what = examine(checks[kind], folder, Random(number), most)
        if what is not None:
            folder.rename(keep / folder.name)
        else:
            shutil.rmtree(folder)
        return what

    return one


def fuzz(
    numbers: Sequence[int],
    seed: int,
    keep: Path,
    kinds: Sequence[str] = KINDS,
    checks: Mapping[str, Check] = CHECKS,
    limits: Limits = Limits(),  # noqa: B008 - it is frozen
    processes: int = 2,
) -> list[Found]:
    """Examine inputs by their numbers; print each finding, and how to repeat it."""
    keep.mkdir(parents=True, exist_ok=True)
    found = []
    make = partial(task, seed, tuple(kinds), dict(checks), keep)
    for finding in workers.run(make, numbers, limits, processes):
        kind = kinds[finding.number % len(kinds)]
        folder = keep / f"{finding.number}-{kind}"
        if not folder.exists():  # the process could not move it any more
            write(broken(kind, Random(f"{seed} {finding.number}")), folder)
        found.append(finding)
        workers.say(f"{kind} {finding.number}: {finding.what}")
        workers.say(f"    repeat: python tests/harness/fuzz.py --again {folder}")
    for own in keep.glob(".*"):
        shutil.rmtree(own, ignore_errors=True)
    return found


def again(folder: Path) -> int:
    """Examine what was kept, in this process; a number before the kind seeds the options."""
    number, _, kind = folder.name.partition("-")
    workers.strict_warnings()
    what = examine(CHECKS[kind], folder, Random(int(number)), PEAK.get(kind, PEAK_OF_OTHERS))
    workers.say(what or "refused, or read, as it should be")
    return 0 if what is None else 1


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--inputs", type=int, default=20000, help="how many (default: %(default)s)")
    add("--first", type=int, default=0, help="the number of the first (default: %(default)s)")
    add("--seed", type=int, default=1, help="(default: %(default)s)")
    add("--kind", choices=KINDS, action="append", help="only this kind; may be repeated")
    add("--processes", type=int, default=2, help="(default: %(default)s)")
    add("--seconds", type=float, default=5, help="that each may take (default: %(default)s)")
    add("--keep", type=Path, default=Path("findings"), help="folder (default: %(default)s)")
    add("--again", type=Path, metavar="FOLDER", help="examine one input that was kept, here")
    args = parser.parse_args()
    if args.again:
        return again(args.again)
    workers.say(f"seed {args.seed}")
    started = time.monotonic()
    numbers = range(args.first, args.first + args.inputs)
    keep, kinds = args.keep.resolve(), args.kind or KINDS
    limits = Limits(seconds=args.seconds)
    found = fuzz(numbers, args.seed, keep, kinds, limits=limits, processes=args.processes)
    seconds = time.monotonic() - started
    workers.say(f"{args.inputs:,} inputs in {seconds:.0f} s, {len(found)} findings")
    for kind, count in Counter(kinds[f.number % len(kinds)] for f in found).most_common():
        workers.say(f"    {kind}: {count}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
