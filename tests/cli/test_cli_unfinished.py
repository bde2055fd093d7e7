"""Trainings that do not reach their end: Ctrl-C and divergence. What was finished is kept."""

import os
import pty
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import (
    ALWAYS,
    assert_one_line,
    names,
    press_ctrl_c,
    read_history,
    read_losses,
    run,
    run_process,
    run_script,
    started,
    wait_until,
)

import fastbp as fb
from fastbp.backends import AUTOMATIC


def finished_epochs(folder):
    return len(read_history(folder)) if (folder / "history.csv").exists() else 0


def assert_model_is_the_last_row(folder, data):
    """Model, history and losses are of the same epoch."""
    net = fb.load(folder / "model.safetensors")
    rows = read_history(folder)
    assert fb.evaluate(net, data).accuracy == float(rows[-1]["val_accuracy"])
    assert [row["epoch"] for row in rows] == [str(n + 1) for n in range(len(rows))]
    losses = read_losses(folder).reshape(len(rows), -1)
    assert np.isfinite(losses).all()


def test_ctrl_c_keeps_the_finished_epochs(tmp_path):
    folder = tmp_path / "run"
    options = ("--hidden", 32, "--epochs", 100000, "--json", "--quiet", "--output", folder)
    with started("train", *options, cwd=tmp_path) as process:
        wait_until(lambda: finished_epochs(folder) >= 1, process)
        out, err, code = press_ctrl_c(process)
    assert (out, code) == ("", 130)
    assert_one_line(
        err, f"stopped; finished {finished_epochs(folder)} of 100,000 epochs", str(folder)
    )
    assert names(folder) == ALWAYS
    assert_model_is_the_last_row(folder, fb.datasets.mnist()[1])


STOPPED = {signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("backend", AUTOMATIC)
@pytest.mark.parametrize("number", STOPPED)
def test_other_signals_end_a_training_as_ctrl_c_does(tmp_path, backend, number):
    folder = tmp_path / "run"
    options = ("--hidden", 32, "--epochs", 100000, "--limit", 2000, "--backend", backend)
    with started("train", *options, "--quiet", "--output", folder, cwd=tmp_path) as process:
        wait_until(lambda: finished_epochs(folder) >= 1, process)
        out, err, code = press_ctrl_c(process, number)
    assert (out, code) == ("", STOPPED[number])
    ending = f"stopped; finished {finished_epochs(folder)} of 100,000 epochs"
    assert_one_line(err.splitlines(keepends=True)[-1], ending, str(folder))
    assert "Traceback" not in err
    assert names(folder) == ALWAYS
    with fb.use_backend(backend):
        assert_model_is_the_last_row(folder, fb.datasets.mnist()[1])


def catches(process, number):
    """Whether a process has a handler of a signal."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
    return caught >> number - 1 & 1


def test_other_signals_end_every_command(tmp_path):
    with started("gradcheck", cwd=tmp_path) as process:
        wait_until(lambda: catches(process, signal.SIGTERM), process)
        out, err, code = press_ctrl_c(process, signal.SIGTERM)
    assert (out, err, code) == ("", "fastbp: stopped\n", 143)
    with started("experiment", "all", "--output", "run", "--quiet", cwd=tmp_path) as process:
        wait_until((tmp_path / "run" / "settings.json").exists, process)
        time.sleep(0.5)
        out, err, code = press_ctrl_c(process, signal.SIGHUP)
    assert (out, code) == ("", 129)
    assert_one_line(err, "networks are finished; go on with --output run --resume")


def test_what_ignores_a_lost_terminal_goes_on(tmp_path):
    """As nohup has it; and the same signal twice, as a shell sends it, is one."""
    script = """
import os, signal
from fastbp.cli import train
before = train.models.asked_for
def asked_for(*arguments):
    os.kill(os.getpid(), signal.SIGHUP)
    return before(*arguments)
train.models.asked_for = asked_for
{}
sys.exit(main(sys.argv[1:]))"""
    options = (
        *"train --limit 50 --epochs 1 --hidden none --quiet --no-plots --output".split(),
        "a",
    )
    ignored = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    result = run_script(script.format(ignored), *options, cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    result = run_script(script.format(""), *options, cwd=tmp_path)
    assert (result.code, result.out, result.err) == (129, "", "fastbp: stopped\n")


def test_a_terminal_that_goes_away_loses_nothing(tmp_path):
    """Whatever is written to it fails from then on."""
    folder = tmp_path / "run"
    screen, stderr = pty.openpty()
    options = ("--hidden", 32, "--epochs", 100000, "--limit", 2000, "--output", folder)
    with started("train", *options, cwd=tmp_path, stderr=stderr) as process:
        os.close(stderr)
        while finished_epochs(folder) < 1:
            os.read(screen, 65536)
        os.close(screen)
        process.send_signal(signal.SIGHUP)
        assert process.communicate(timeout=30)[0] == b""
    assert process.returncode == 129
    assert names(folder) == ALWAYS
    assert_model_is_the_last_row(folder, fb.datasets.mnist()[1])


def test_a_signal_twice_loses_nothing(tmp_path):
    folder = tmp_path / "run"
    result = run_script(
        """
import signal
from fastbp import runs
from fastbp.recording import Recorder
write_losses = runs.write_losses
def twice(*arguments):
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGTERM)
    write_losses(*arguments)
runs.write_losses = twice
on_epoch_end = Recorder.on_epoch_end
def stopped(*arguments):
    on_epoch_end(*arguments)
    signal.raise_signal(signal.SIGTERM)
Recorder.on_epoch_end = stopped
sys.exit(main(sys.argv[1:]))""",
        *"train --limit 100 --hidden none --quiet --output".split(),
        folder,
        cwd=tmp_path,
    )
    assert "stopped" in result.err
    assert result.code in (130, 143)
    assert names(folder) == ALWAYS
    assert_model_is_the_last_row(folder, fb.datasets.mnist()[1])


def test_a_full_disk_in_the_middle_keeps_what_was_finished_and_names_the_file(tmp_path):
    result = run_script(
        """
import errno
from fastbp import recording
write, count = recording.write_atomically, [0]
def full(path, *how):
    count[0] += path.name == "model.safetensors"
    if count[0] == 3:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))
    write(path, *how)
recording.write_atomically, recording.EVERY = full, 1e-9
sys.exit(main(sys.argv[1:]))""",
        *"train --limit 100 --hidden none --quiet --output run".split(),
        cwd=tmp_path,
    )
    assert (result.code, result.out) == (1, "")
    assert_one_line(result.err, "error: run/model.safetensors: No space left on device")
    assert names(tmp_path / "run") == ALWAYS
    net, row = fb.load(tmp_path / "run" / "model.safetensors"), read_history(tmp_path / "run")[-1]
    assert row["epoch"] == "2"
    accuracy = fb.evaluate(net, fb.datasets.mnist()[1]).accuracy
    assert accuracy == float(row["val_accuracy"])


def test_ctrl_c_before_the_first_epoch_is_finished(tmp_path):
    folder = tmp_path / "run"
    options = ("--hidden", "2000,2000", "--batch-size", 1, "--json", "--output", folder)
    with started("train", *options, cwd=tmp_path) as process:
        for _ in range(3):  # network, data, and where: then it trains
            process.stderr.readline()
        time.sleep(0.2)
        out, err, code = press_ctrl_c(process)
    assert (out, code) == ("", 130)
    assert_one_line(err, "stopped; finished 0 of 25 epochs", str(folder))
    assert names(folder) == ALWAYS - {"model.safetensors", "checkpoint.safetensors"}
    assert read_history(folder) == []
    assert read_losses(folder).shape == (0,)


def test_ctrl_c_between_model_and_history_waits_for_both(tmp_path):
    folder = tmp_path / "run"
    result = run_script(
        """
import signal
from fastbp.recording import Recorder
done = Recorder._done
def interrupted(recorder):
    Recorder._done = done
    signal.raise_signal(signal.SIGINT)
    return done(recorder)
Recorder._done = interrupted
sys.exit(main(sys.argv[1:]))""",
        *"train --limit 100 --hidden none --quiet --output".split(),
        folder,
        cwd=tmp_path,
    )
    assert result.code == 130
    assert_one_line(result.err, "stopped; finished 1 of 25 epochs")
    assert finished_epochs(folder) == 1
    assert_model_is_the_last_row(folder, fb.datasets.mnist()[1])


@pytest.mark.parametrize("moment", ["fastbp.cli._main._parser", "fastbp.datasets.mnist"])
def test_ctrl_c_before_training_leaves_one_line_and_no_folder(tmp_path, moment):
    """While the commands are still imported, and while data is read."""
    module, name = moment.rsplit(".", 1)
    result = run_script(
        f"""
import importlib, signal
module = importlib.import_module({module!r})
module.{name} = lambda: signal.raise_signal(signal.SIGINT)
sys.exit(main(sys.argv[1:]))""",
        "train",
        cwd=tmp_path,
    )
    assert (result.code, result.out) == (130, "")
    assert_one_line(result.err, "fastbp: stopped")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("module", ["numpy", "fastbp.layers", "fastbp.cli", "fastbp.cli.train"])
def test_ctrl_c_while_modules_are_imported(tmp_path, module):
    early = tmp_path / "early"
    early.mkdir()
    (early / "sitecustomize.py").write_text(f"""
import sys
class Interrupted:
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted)
""")
    paths = filter(None, [str(early), os.environ.get("PYTHONPATH")])
    result = run_process("train", cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(paths)})
    assert (result.code, result.out, result.err) == (130, "", "fastbp: stopped\n")
    assert names(tmp_path) == {"early"}


DIVERGED = re.compile(
    r"fastbp: error: the loss became (?:NaN|infinite) in epoch (\d+), step (\d+), "
    r"with learning rate ([\d.e+-]+); .*; finished (\d+) of 50 epochs; what there is lies in (.+)\n"
)


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """Two thousand MNIST pictures as an .npz file."""
    train, test = fb.datasets.mnist()
    path = tmp_path_factory.mktemp("pixels") / "pixels.npz"
    np.savez(path, x_train=train.x[:2000], y_train=train.y[:2000], x_test=test.x, y_test=test.y)
    return path


def diverge(pixels, folder, *options):
    """Train ReLUs on raw pixels, 0 to 255, far too fast."""
    result = run(
        *("train", "--data", pixels, "--output", folder),
        *"--scale 1 --activation relu --init he --hidden 32,32 --epochs 50".split(),
        *("--quiet", "--json", *options),
        cwd=folder.parent,
    )
    assert (result.code, result.out) == (1, "")
    found = DIVERGED.fullmatch(result.err)
    assert found, result.err
    assert found[5] == str(folder)
    return tuple(float(figure) for figure in found.groups()[:4])


def test_divergence_names_epoch_step_and_rate(pixels, tmp_path):
    epoch, step, rate, finished = diverge(pixels, tmp_path / "run", "--lr", 10)
    assert (epoch, rate, finished) == (1, 10, 0)
    assert 1 < step < 250
    assert names(tmp_path / "run") == ALWAYS - {"model.safetensors", "checkpoint.safetensors"}


@pytest.mark.parametrize("backend", AUTOMATIC)
def test_divergence_keeps_the_finished_epochs(pixels, tmp_path, backend):
    """One step an epoch, so that an epoch is finished before numbers overflow."""
    folder = tmp_path / "run"
    options = ("--batch-size", 2000, "--lr", 1e10, "--backend", backend)
    epoch, step, rate, finished = diverge(pixels, folder, *options)
    assert (step, rate) == (1, 1e10)
    assert finished == epoch - 1 == finished_epochs(folder) >= 1
    with fb.use_backend(backend), np.errstate(all="ignore"):
        assert_model_is_the_last_row(folder, fb.datasets.load(pixels, scale=1)[1])
