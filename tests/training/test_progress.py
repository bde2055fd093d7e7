"""How training shows itself: a bar on a terminal, a line in a notebook, else nothing."""

import io
import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import fastbp as fb
from fastbp.training import Epoch, progress
from fastbp.training.progress import progress_for


class Terminal(io.StringIO):
    def isatty(self):
        return True


def watch(shows, first=1):
    """A training of two epochs of 100 samples."""
    shows.on_train_begin(None)
    shows.on_progress(first, 50, 100, 1.5)
    shows.on_epoch_end(Epoch(first, 1.25, 0.5, 0.25, seconds=0.01), None)
    shows.on_progress(first + 1, 20, 100, 0.75)
    shows.on_epoch_end(Epoch(first + 1, 0.5, 0.75, 0.5, seconds=0.02), None)
    shows.on_train_end(None)


@pytest.fixture
def notebook(monkeypatch):
    """What it was asked to display, and under which name."""
    shown = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())

    def display_new(data, *, raw, display_id):
        shown.append(("new", display_id, data["text/plain"]))

    def update_display(data, *, raw, display_id):
        shown.append(("same", display_id, data["text/plain"]))

    display.display, display.update_display = display_new, update_display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_bar_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    watch(progress_for(epochs=2, samples=100))
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", terminal.getvalue())
    assert "epoch 2/2 ━" in text
    assert "loss 0.5000  train 75.00 %  val 50.00 %  5,000 samples/s" in text
    assert "0:00:00 left" in text
    assert terminal.getvalue().rstrip("\n").endswith("\x1b[?25h")  # the cursor is back


def test_one_line_in_a_notebook(notebook):
    shows = progress_for(epochs=8, samples=100, first=7)
    watch(shows, first=7)
    assert [kind for kind, *_ in notebook] == ["new", "same", "same", "same"]
    assert len({name for _, name, _ in notebook}) == 1
    texts = [text for *_, text in notebook]
    assert re.fullmatch(r"epoch 7/8  loss 1.5000  [\d,]+ samples/s  0:00:01 left", texts[0])
    assert "loss 1.2000  train 50.00 %  val 25.00 %  " in texts[2]
    assert texts[3].startswith("epoch 8/8  loss 0.5000  train 75.00 %  val 50.00 %  5,000 samples")
    assert texts[3].endswith("0:00:00 left")
    watch(shows)
    assert notebook[4][0] == "new"
    assert notebook[4][1] != notebook[0][1]


def test_fit_shows_it(monkeypatch):
    rng, terminal = np.random.default_rng(0), Terminal()
    x = rng.normal(size=(50, 3))
    net = fb.Sequential(fb.Linear(3, 1))
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    options = {"loss": "mse", "epochs": 2, "validation": 0.2, "progress": True}
    history = fb.fit(net, x, x.sum(axis=1), **options)
    fb.fit(net, x, x.sum(axis=1), history=history, **options)
    for epoch in (2, 4):  # the last of each
        figures = f"train R² {history['train_r2'][epoch - 1]:.4f}  val R² "
        assert f"epoch {epoch}/{epoch} " in terminal.getvalue()
        assert figures in terminal.getvalue()


def test_a_command_in_a_notebooks_cell_moves_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert progress.on_terminal()
    monkeypatch.setenv("JPY_PARENT_PID", "7")  # as a kernel tells its children
    assert not progress.on_terminal()
    assert type(progress_for(epochs=2, samples=100)) is progress.Progress


def test_a_loss_that_goes_wrong_is_shown_by_its_power_of_ten():
    shows = progress.Progress(2, 100)
    for loss, text in ((0.12344, "loss 0.1234 "), (2.7413277e32, "loss 2.741e+32 ")):
        shows.on_train_begin(None)
        shows.on_progress(1, 50, 100, loss)
        assert shows.figures.startswith(text)


def test_the_loss_is_a_running_mean():
    """Of what is reported ten times a second; an epoch goes on from the mean of the one before."""
    shows, texts = progress.Progress(2, 100), []
    shows.on_train_begin(None)
    for loss in (2.0, 0.0, 0.0):
        shows.on_progress(1, 50, 100, loss)
        texts.append(shows.figures.split()[1])
    shows.on_epoch_end(Epoch(1, 0.5, 0.5, 0.25, seconds=0.01), None)
    for loss in (0.0, 1.0):
        shows.on_progress(2, 50, 100, loss)
        texts.append(shows.figures.split()[1])
    assert texts == ["2.0000", "1.8000", "1.6200", "0.4500", "0.5050"]


def test_silent_where_neither(capfd):
    shows = progress_for(epochs=2, samples=100)
    assert type(shows) is progress.Progress
    watch(shows)
    assert capfd.readouterr() == ("", "")


def test_figures_of_values_and_of_none():
    values = Epoch(1, 0.5, float("nan"), float("nan"), 1.0, 0.75, 0.5, 2.0, 3.0)
    assert progress.of_epoch(values, "test") == "train R² 0.7500  test R² 0.5000"
    assert progress.of_epoch(Epoch(1, 0.5, 0.75, float("nan"), 1.0), "test") == "train 75.00 %"
