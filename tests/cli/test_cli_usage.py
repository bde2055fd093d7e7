"""Wrong usage, help, and the surroundings a command may be run in."""

import inspect
import os
import re
import subprocess

import pytest
from command_line import (
    FASTBP,
    LIMIT,
    Result,
    assert_error,
    environment,
    names,
    run,
    run_process,
)
from for_each import for_each

import fastbp as fb
from fastbp.cli._arguments import print_table
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS
from fastbp.schedules import SCHEDULES

WRONG_USAGE = {  # command line -> what is named
    "": "COMMAND",
    "frob": "'frob'",
    "train --frob": "--frob",
    "train extra": "extra",
    "train --epochs": "--epochs: expected one argument",
    "train --epochs 0": "--epochs: expected a whole number >= 1, got '0'",
    "train --epochs 1.5": "--epochs: expected a whole number >= 1, got '1.5'",
    "train --batch-size -1": "--batch-size",
    "train --limit 0": "--limit",
    "train --threads 0": "--threads",
    "train --seed -1": "--seed: expected a whole number >= 0, got '-1'",
    "train --lr 0": "--lr: expected a number above 0, got '0'",
    "train --lr nan": "--lr",
    "train --lr inf": "--lr",
    "train --lr fast": "--lr",
    "train --hidden 8,x": "--hidden: expected sizes like 800,100, or none; got '8,x'",
    "train --hidden 8,0": "--hidden",
    "train --activation step": "--activation",
    "train --loss frob": "--loss",
    "train --init zeros": "--init: expected normal, uniform, glorot, he, ntk or normal:STD",
    "train --init normal:0": "--init",
    "train --init he:2": "--init",
    "train --dtype float16": "--dtype",
    "train --model letnet": "expected dense, lenet, table or a TOML file; there is no 'letnet'",
    "train --backend torch": "--backend",
    "train --schedule cosin": "--schedule",
    "train --validation 1": "--validation: expected a number below 1, got '1'",
    "train --early-stopping 0": "--early-stopping: expected a whole number >= 1, got '0'",
    "train --class-weight 1,-2": "--class-weight: expected at least 0, got '-2'",
    "train --class-weight equal": "--class-weight: expected a number, got 'equal'",
    "train --clip-norm 0": "--clip-norm: expected a number above 0, got '0'",
    "train --l2 inf": "--l2: expected a finite number, got 'inf'",
    "train --max-seconds soon": "--max-seconds: expected a number, got 'soon'",
    "train --metrics all": "--metrics",
    "train --patience many": "--patience: expected a number, got 'many'",
    "train --data x --classes 1": "--classes",
    "train --data x --scale 0": "--scale",
    "evaluate": "MODEL",
    "evaluate model --split validation": "--split",
    "predict": "MODEL",
    "predict model --index -1": "--index",
    "predict model --index two": "--index",
    "export": "MODEL",
    "export model --format exe": "--format: invalid choice: 'exe'",
    "sweep": "FILE.toml",
    "sweep file --threads 0": "--threads: expected a whole number >= 1, got '0'",
    "experiment": "NAME",
    "experiment depths": "no experiment 'depths'; there are data, simple-net",
    "experiment depth --seeds 0": "--seeds: expected a whole number >= 1, got '0'",
    "experiment depth --limit none": "--limit",
    "gradcheck --seed x": "--seed",
    "info --backend jax": "--backend",
}


MEANT = {  # command line -> what was meant
    "trian": "train",
    "train --hiden 3": "--hidden",
    "train --lable=c": "--label",
    "train --activation rellu": "relu",
    "train --loss cross_entropy": "cross-entropy",
    "experiment depht": "'depth'",
}


@pytest.mark.parametrize("line", MEANT)
def test_what_is_mistyped_is_told_what_was_meant(tmp_path, line):
    command = line.split()[0] if " " in line else ""
    where = f"python -m fastbp {command}".rstrip()
    words = (f"; did you mean {MEANT[line]}? (see {where} --help)", f"{where}: error: ")
    assert_error(run(*line.split(), cwd=tmp_path), *words, code=2)


def test_options_that_do_not_go_together_are_wrong_usage(tmp_path):
    for line in ("train --label x", "train --values", "train --test-share 0.1"):
        assert_error(run(*line.split(), cwd=tmp_path), "--data", code=2)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("line", ["", "train --lr fast"])
def test_wrong_usage_ends_the_process_with_exit_code_2(tmp_path, line):
    result = run_process(*line.split(), cwd=tmp_path)
    assert_error(result, WRONG_USAGE[line].split(":")[0], code=2)


@for_each("line", WRONG_USAGE)
def test_wrong_usage_is_one_line_and_exit_code_2(tmp_path, line):
    assert_error(run(*line.split(), cwd=tmp_path), WRONG_USAGE[line], "--help", code=2)
    assert names(tmp_path) == set()


DATA = "--data --label --classes --scale "
SETTINGS = {  # of losses, optimisers and schedules: an option each
    "--" + name.replace("_", "-")
    for kind in (*LOSSES.values(), *OPTIMIZERS.values(), *SCHEDULES.values())
    for name in inspect.signature(kind).parameters
}
FLAGS = {
    "train": DATA + "--drop --category --number --test --test-share "
    "--values --model --hidden --activation --normalization --loss --optimizer --batch-size "
    "--lr --epochs --init --seed --dtype --backend --threads --limit --memory --copy --output "
    "--no-plots --quiet "
    "--json --schedule --validation --early-stopping --class-weight --clip-norm --clip-value --l2 "
    "--max-seconds --metrics --resume --ensemble --cv " + " ".join(SETTINGS),
    "sweep": "--dask --output --threads --backend --no-plots --quiet --json",
    "evaluate": DATA + "--memory --copy --split --backend --plot --json",
    "predict": DATA + "--index --invert --split --backend --plot --json --output --keep",
    "export": "--format --output --name --json",
    "experiment": "--epochs --limit --seeds --output --resume --docs --backend --quiet --json",
    "explain": "--plot --backend --json",
    "gradcheck": "--backend --seed --json",
    "bench": "--filter --json",
    "info": "--backend --json",
}


@pytest.mark.parametrize("command", FLAGS)
def test_help_names_every_flag(tmp_path, command):
    result = run(command, "--help", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", result.out, re.MULTILINE)) == {
        *FLAGS[command].split(),
        "--help",
    }


def test_help_names_every_command(tmp_path):
    result = run("--help", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert re.findall(r"^    (\w+)", result.out, re.MULTILINE) == list(FLAGS)


def test_version(tmp_path):
    result = run("--version", cwd=tmp_path)
    assert (result.code, result.out, result.err) == (0, f"fastbp {fb.__version__}\n", "")


def run_with_stdout(stdout, *args):
    """Run a command with another stdout; give exit code and stderr."""
    done = subprocess.run(
        [*FASTBP, *map(str, args)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        timeout=LIMIT,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", ["--help", "train --help", "info", "info --json"])
def test_a_reader_that_has_gone_away_is_no_error_worth_a_line(command):
    """As in ``fastbp info | head -1``."""
    read, write = os.pipe()
    os.close(read)
    try:
        assert run_with_stdout(write, *command.split()) == (1, "")
    finally:
        os.close(write)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        for command in ("info", "--help", "explain"):
            code, said = run_with_stdout(full, command)
            assert (code, said) == (1, "fastbp: error: standard output: No space left on device\n")


@pytest.mark.parametrize("encoding", ["ascii", "ascii:strict", "cp1252", "utf-8"])
@pytest.mark.parametrize("command", ["explain", "train --help", "explain missing-ü.toml"])
def test_letters_that_an_encoding_lacks_are_replaced(tmp_path, command, encoding):
    done = subprocess.run(
        [*FASTBP, *command.split()],
        cwd=tmp_path,
        env=environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0"),
        capture_output=True,
        timeout=LIMIT,
    )
    name = encoding.partition(":")[0]
    out, err = done.stdout.decode(name), done.stderr.decode(name)
    if "missing" in command:
        letter = "?" if name == "ascii" else "ü"
        assert (done.returncode, out) == (1, "")
        assert err == f"fastbp: error: missing-{letter}.toml: No such file or directory\n"
    else:
        assert (done.returncode, err) == (0, "")
        assert len(out) > 1000


def test_names_of_files_may_be_any_bytes(tmp_path):
    """Even such as are no text: they are shown, and kept in settings, with a mark for each."""
    name = os.fsdecode(b"\xff")
    (tmp_path / f"{name}.csv").write_text("a,b,label\n" + "1,2,0\n4,3,1\n" * 10)
    (tmp_path / f"{name}.toml").write_text('[network]\nlayers = [{type = "Linear"}]\n')
    result = run(
        *("train", "--data", f"{name}.csv", "--model", f"{name}.toml", "--output", name),
        *("--epochs", 1, "--no-plots"),
        cwd=tmp_path,
    )
    assert result.code == 0, result.err
    config = (tmp_path / name / "config.toml").read_text("utf-8")
    assert 'path = "?.csv"' in config
    assert 'model = "?"' in config
    missing = run("evaluate", f"{name}.safetensors", cwd=tmp_path)
    assert_error(missing, "?.safetensors: No such file or directory")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processors to choose")
@pytest.mark.parametrize("limit", ["ulimit -n 16", "ulimit -v 500000", "taskset -c 0 true"])
def test_little_of_everything_is_enough_for_a_small_training(tmp_path, limit):
    """Files, memory, processors."""
    processor = "taskset -c 0" if "taskset" in limit else ""
    command = f"{processor} {' '.join(FASTBP)} train --limit 50 --epochs 1 --hidden none --quiet"
    done = subprocess.run(
        f"{limit} && {command} --output run",
        shell=True,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "misclassified.png").exists()


def test_too_little_memory_is_one_line(tmp_path):
    command = f"ulimit -v 700000 && {' '.join(FASTBP)} train --hidden 20000,20000 --output run"
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert_error(Result(done.returncode, done.stdout, done.stderr), "out of memory (Unable to")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_not_stop_a_training(tmp_path, redirection):
    """As where a job scheduler gives a program none."""
    command = f"{' '.join(FASTBP)} train --limit 50 --epochs 1 --hidden none --no-plots"
    done = subprocess.run(
        f"{command} --output run {redirection}",
        shell=True,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_training_and_pictures_work_without_a_home(tmp_path):
    """Numba and Matplotlib keep their caches there, where they can."""
    result = run_process(
        *"train --limit 50 --epochs 1 --hidden none --backend numba --quiet --json".split(),
        *"--output run".split(),
        cwd=tmp_path,
        env={"HOME": None, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
    )
    assert result.code == 0, result.err
    assert result.json["path"].startswith("numba")
    assert (tmp_path / "run" / "confusion_matrix.png").exists()


def test_a_traceback_is_there_for_those_who_ask(tmp_path):
    done = subprocess.run(
        [*FASTBP, "evaluate", "missing"],
        cwd=tmp_path,
        env=environment(FASTBP_TRACEBACK="1"),
        capture_output=True,
        text=True,
    )
    assert done.stderr.startswith("Traceback")
    assert "FileNotFoundError" in done.stderr


def test_narrow_tables_break_no_word(monkeypatch, capsys):
    columns, row = ["experiment", "best test", "verdicts"], ["activations", "98.20 %", "1 / 2 / 3"]
    narrow = "x\nactivations\n  best test  98.20 %\n  verdicts   1 / 2 / 3\n"
    for width in (24, 32, 40, 60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        print_table("x", columns, [row])
        printed = capsys.readouterr().out
        assert {*printed.split()} >= {*" ".join((*columns[1:], *row)).split()}, width
        assert max(map(len, printed.splitlines())) <= width
        assert (printed == narrow) == (width < 40)
