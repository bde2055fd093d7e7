"""The live bar of ``train``, which shows itself where stderr is a terminal."""

import re
import signal

import pytest
from command_line import in_terminal

# An epoch must last longer than the tenth of a second between two movements of the bar.
TRAINING = ("train", "--limit", 20000, "--hidden", 1000, "--batch-size", 2, "--no-plots", "--json")


@pytest.fixture(scope="module", params=[80, 40])
def shown(request, tmp_path_factory):
    """What a training leaves: columns of its terminal, lines shown, stdout, folder."""
    folder = tmp_path_factory.mktemp("a-long-name-" * 6)  # longer than the terminal is wide
    options = ("--epochs", 2, "--output", folder)
    with in_terminal(request.param, *TRAINING, *options, cwd=folder) as terminal:
        out, code = terminal.wait_for_end()
    assert code == 0, terminal.shown
    return request.param, terminal.lines, out, folder


def test_bar_shows_every_figure_uncut(shown):
    _, lines, *_ = shown
    text = "\n".join(lines)
    percent = r"\d+\.\d\d %"
    for figure in (
        r"epoch 1/2 [━╸╺]+ \d:\d\d:\d\d left",
        r"epoch 2/2 [━╸╺]+ \d:\d\d:\d\d left",
        r"loss \d+\.\d{4}  [\d,]+ samples/s$",  # while there are no accuracies yet
        rf"loss \d+\.\d{{4}}  train {percent}  test {percent}",
        r"[\d,]+ samples/s",
    ):
        assert re.search(figure, text, re.MULTILINE), figure
    assert "…" not in text
    assert text.rindex("0:00:00 left") > text.index("epoch 2/2")


def test_bar_is_as_wide_as_the_terminal(shown):
    columns, lines, *_ = shown
    widths = {len(line) for line in lines if line.startswith("epoch") and line.endswith("left")}
    assert widths == {columns}


def test_network_data_and_folder_stand_above_the_bar_uncut(shown):
    _, lines, _, folder = shown
    assert "Sequential(Linear(784, 1000), Tanh(), Linear(1000, 10))" in lines
    assert any(line.endswith(f"float32 -> {folder}") for line in lines)


def test_bar_leaves_stdout_alone(shown):
    _, _, out, folder = shown
    assert out.startswith("{")
    assert f'"output": "{folder}"' in out


def test_ctrl_c_gives_the_terminal_back(tmp_path):
    """With its cursor, and a last line below the bar."""
    options = ("--epochs", 100000, "--output", "run")
    with in_terminal(80, *TRAINING, *options, cwd=tmp_path) as terminal:
        terminal.wait_for("samples/s")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait_for_end() == ("", 130)
    *_, cursor = re.findall(r"\x1b\[\?25[hl]", terminal.shown)
    assert cursor == "\x1b[?25h"  # shown, not hidden
    *_, last, end = terminal.lines
    ending = r"fastbp: stopped; finished \d+ of 100,000 epochs; what there is lies in run"
    assert re.fullmatch(ending, last)
    assert end == ""
    assert "Traceback" not in terminal.shown
