"""Log and TensorBoard: what they leave of each epoch, also of runs that go on, or were killed."""

import csv
import json
import math
import pickle
import struct
import sys

import numpy as np
import pytest

import fastbp as fb

X = np.random.default_rng(0).normal(size=(40, 3))
LABELS = (X.sum(axis=1) > 0).astype(int)


def train(*callbacks, epochs=2, history=None, values=False, **settings):
    net = fb.Sequential(fb.Linear(3, 1 if values else 2), seed=1)
    loss = fb.MSELoss() if values else fb.CrossEntropyLoss()
    y = X[:, :1] if values else LABELS
    return fb.fit(
        net, (X, y), loss=loss, optimizer=fb.SGD(lr=0.01), epochs=epochs, history=history,
        callbacks=callbacks, **settings,
    )  # fmt: skip


@pytest.mark.parametrize("values", [False, True])
def test_table_is_the_history_as_csv(tmp_path, values):
    history = train(fb.Log(tmp_path / "log.csv"), values=values, epochs=3)
    history.to_csv(tmp_path / "history.csv")
    assert (tmp_path / "log.csv").read_bytes() == (tmp_path / "history.csv").read_bytes()


def test_json_lines_are_the_rows(tmp_path):
    history = train(fb.Log(tmp_path / "log.jsonl"), epochs=3)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(rows) == 3
    for row, expected in zip(rows, history.rows(), strict=True):
        assert list(row) == list(expected)
        for name, value in row.items():
            assert value == expected[name] or (value is None and math.isnan(expected[name]))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_line_is_there_when_its_epoch_is_over(tmp_path, ending):
    path, lines = tmp_path / f"log.{ending}", []

    class Look(fb.Callback):
        def on_epoch_end(self, epoch, net):
            lines.append(len(path.read_text().splitlines()))

    train(fb.Log(path), Look(), epochs=3)
    header = ending == "csv"
    assert lines == [1 + header, 2 + header, 3 + header]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("anew", [False, True])
def test_a_run_that_goes_on_adds_its_lines(tmp_path, ending, anew):
    log = fb.Log(tmp_path / f"log.{ending}")
    history = train(log)
    before = log.path.read_text()
    train(fb.Log(log.path) if anew else log, history=history)
    assert log.path.read_text().startswith(before)
    assert log.path.read_text().count("\n") == 4 + (ending == "csv")
    train(log, epochs=1)  # a run of its own
    assert log.path.read_text().count("\n") == 1 + (ending == "csv")


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_lines_of_a_run_that_was_killed_are_replaced(tmp_path, ending):
    """It had finished two epochs more than what goes on, and was in the middle of a line."""
    path = tmp_path / f"log.{ending}"
    history = train(fb.Log(path))
    kept = path.read_text()
    with path.open("a") as file:
        for epoch in (3, 4):
            line = kept.splitlines()[-1].replace("2", str(epoch), 1)
            file.write(line + "\n")
        file.write(line[:9])
    train(fb.Log(path), history=history, epochs=1)
    assert path.read_text().startswith(kept)
    lines = path.read_text().splitlines()
    assert len(lines) == 3 + (ending == "csv")
    assert lines[-1].startswith('{"epoch": 3,' if ending == "jsonl" else "3,")


def test_columns_that_come_later_widen_the_table(tmp_path):
    path = tmp_path / "log.csv"
    history = train(fb.Log(path))
    text = path.read_text().replace("train_loss", "another")
    path.write_text(text)
    train(fb.Log(path), history=history, epochs=1)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["another"] == "nan" for row in rows] == [False, False, True]
    assert [row["train_loss"] == "nan" for row in rows] == [True, True, False]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "epoch\nmany\n", "\x00\xff\n", "[1]\n", "epoch\n0\n"]
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_what_is_no_log_is_not_gone_on_with(tmp_path, text, ending):
    path = tmp_path / f"other.{ending}"
    path.write_text(text, encoding="latin-1")
    history = train(epochs=1)
    with pytest.raises(ValueError, match=r"other.*: no log of epochs, to which lines could be"):
        train(fb.Log(path), history=history)
    assert path.read_text(encoding="latin-1") == text


def test_bad_paths(tmp_path):
    with pytest.raises(ValueError, match=r"expected a path ending in .csv or .jsonl, got 'log.txt"):
        fb.Log("log.txt")
    history = fb.History()
    with pytest.raises(FileNotFoundError, match=r"nowhere/log.csv: the folder .* does not exist"):
        train(fb.Log(tmp_path / "nowhere/log.csv"), history=history)
    assert not history.epochs


def test_logs_are_copied_and_sent():
    assert pickle.loads(pickle.dumps(fb.Log("log.csv"))).path.name == "log.csv"


def events(folder):
    """Tag -> step -> value: what an events file holds, each record between its length and sums."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found, starts = {}, []
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = event_pb2.Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            starts += [event.step] if event.HasField("session_log") else []
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found, sorted(starts)


def test_tensorboard_has_each_figure(tmp_path):
    pytest.importorskip("tensorboardX")
    history = train(fb.TensorBoard(tmp_path / "tb"), epochs=3)
    found, starts = events(tmp_path / "tb")
    assert {"train_loss", "train_accuracy", "seconds"} <= set(found)
    assert not any("epoch" in tag or "val" in tag for tag in found)
    for tag, by_step in found.items():
        assert by_step == dict(enumerate(np.float32(history[tag]), 1))
    assert starts == [1]


def test_tensorboard_hides_what_a_killed_run_wrote(tmp_path):
    pytest.importorskip("tensorboardX")
    history = train(fb.TensorBoard(tmp_path))
    train(fb.TensorBoard(tmp_path), history=history, epochs=1)
    assert events(tmp_path)[1] == [1, 3]


def test_tensorboard_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastbp\[tensorboard\]'"):
        fb.TensorBoard("runs/first")
