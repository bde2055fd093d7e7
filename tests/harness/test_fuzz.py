"""Broken files of every kind: the short form of fuzz.py. And that it finds what it should."""

import builtins
import ctypes
import os
import re
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
import samples
from fuzz import KINDS, broken, examine, fuzz, write
from loaders import CHECKS, OddError, check_table
from workers import Limits

INPUTS, SEED = 1350, 20240607
ROOM = 300 << 20


def test_a_broken_file_is_refused_or_read_and_nothing_else_happens(tmp_path, capfd):
    found = fuzz(range(INPUTS), SEED, tmp_path / "kept", limits=Limits(seconds=30))
    assert not found, capfd.readouterr().out


class First(Random):
    """Takes the first of all choices: how a file is read unless it is asked for otherwise."""

    def choice(self, choices):
        return choices[0]


def test_good_files_are_read(tmp_path):
    for kind in KINDS:
        for number, files in enumerate(samples.of(kind)):
            folder = tmp_path / f"{number}-{kind}"
            write(files, folder)
            if samples.CANARY.encode() in b"".join(files.values()):
                with pytest.raises(ValueError, match="npz"):
                    CHECKS[kind](folder, First(0))
                continue
            CHECKS[kind](folder, First(0))


def test_an_input_follows_from_its_number_alone():
    for kind in KINDS:
        assert broken(kind, Random("1 5")) == broken(kind, Random("1 5"))
    assert broken("csv", Random("1 5")) != broken("csv", Random("1 6"))


def crash(folder, random):
    ctypes.string_at(0)


def hang(folder, random):
    time.sleep(60)


def leak(folder, random):
    leak.kept = np.ones(300 << 17)


def raise_something(folder, random):
    raise KeyError(str(folder))


def leave(folder, random):
    os._exit(3)


def test_a_bad_loader_is_found(tmp_path, capfd):
    """One that crashes, one that hangs, and so on: each of its own kind of files."""
    checks = {
        "csv": crash,
        "npz": hang,
        "idx": leak,
        "model": raise_something,
        "run": leave,
        "picture": CHECKS["picture"],
    }
    keep = tmp_path / "kept"
    found = fuzz(range(6), 1, keep, tuple(checks), checks, Limits(seconds=4))
    assert [f.number for f in sorted(found)] == [0, 1, 2, 3, 4]
    words = ("SIGSEGV", "took more than 4 s", "memory were not given back|MB of memory", "KeyError")
    for finding, word in zip(sorted(found), (*words, "exit code 3"), strict=True):
        assert re.search(word, finding.what)
    kept = {path.name for path in keep.iterdir()}
    assert kept == {"0-csv", "1-npz", "2-idx", "3-model", "4-run"}
    said = capfd.readouterr().out
    assert f"python tests/harness/fuzz.py --again {keep / '0-csv'}" in said


def test_answers_that_are_wrong_are_found(tmp_path):
    (tmp_path / "data.csv").write_text("0,1\n1,2\n1,3\n")

    def answer(check):
        return examine(check, tmp_path, Random(0), ROOM)

    def refuse_without_path(folder, random):
        raise ValueError("something is wrong")

    def refuse(folder, random):
        raise ValueError(f"{folder}: something is wrong")

    def misread(folder, random):
        raise OddError("a label is out of range")

    def execute(folder, random):
        setattr(builtins, samples.CANARY, True)

    def take(folder, random):
        np.ones(ROOM // 4)

    assert answer(check_table) is None
    assert answer(refuse) is None
    assert "path is missing" in answer(refuse_without_path)
    assert "a label is out of range" in answer(misread)
    assert "executed code" in answer(execute)
    if Path("/proc/self/clear_refs").exists():
        assert "of memory" in answer(take)


def test_the_canary_sings():
    """A file that is unpickled would be noticed."""
    import pickle

    assert not hasattr(builtins, samples.CANARY)
    pickle.loads(samples.pickled())
    assert hasattr(builtins, samples.CANARY)
    delattr(builtins, samples.CANARY)
