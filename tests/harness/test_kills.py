"""Kills at random moments: the short form of kills.py. And that it finds what it should."""

from random import Random

import kills

SEED = 20240607


def test_a_kill_leaves_whole_files_and_work_that_goes_on(tmp_path, capfd):
    assert not kills.kills(6, SEED, tmp_path), capfd.readouterr().out


def test_a_training_that_left_other_files_is_found(tmp_path):
    process = kills.start([*kills.FASTBP, *kills.TRAIN, tmp_path / "run"], tmp_path / "log")
    history = tmp_path / "run" / "history.csv"
    assert kills.wait_for(tmp_path / "run" / "model.safetensors", process)
    assert kills.kill(process, 0.1)
    assert not kills.look_at_training(tmp_path / "run")
    lines = history.read_text().splitlines()
    history.write_text("\n".join([*lines, lines[-1], lines[-1]]) + "\n")
    assert len(kills.look_at_training(tmp_path / "run")) >= 2  # rows, and a model that is older


def test_an_experiment_that_ends_otherwise_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "start", lambda *_: _Ended())
    assert kills.kill_experiment(tmp_path, Random(0), {"model": b"1"}, 1, 3) == (
        *(0, ["model differs from the undisturbed run", "there is no report"]),
    )


class _Ended:
    """A process that came to its end at once."""

    def wait(self, timeout=None):
        return 0
