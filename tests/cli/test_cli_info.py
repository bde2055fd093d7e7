"""``info``: every fact is there and true; and the environment variables that it reports."""

import importlib.metadata
import platform
import re
from pathlib import Path

import pytest
from command_line import assert_error, assert_one_line, run, run_process, run_script

import fastbp as fb
from fastbp import backends, threads

LEVEL = backends.processor_level() or 0
x86 = pytest.mark.skipif(LEVEL < 2, reason="needs an x86-64-v2 processor")


def info(folder, *options, **env):
    result = run_process("info", "--json", *options, cwd=folder, env=env)
    assert (result.code, result.err) == (0, "")
    return result.json


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    return info(tmp_path_factory.mktemp("info"))


def test_text_and_json_say_the_same(facts, tmp_path):
    """A line a fact, never cut, however narrow the terminal."""
    result = run("info", cwd=tmp_path, env={"COLUMNS": "20"})
    assert (result.code, result.err) == (0, "")
    width = max(map(len, facts))
    expected = [f"  {name:<{width}}  {value}" for name, value in facts.items()]
    assert result.out.splitlines() == expected


def test_versions_are_true(facts):
    assert facts["fastbp"] == f"{fb.__version__} in {Path(fb.__file__).parent}"
    assert facts["python"].startswith(f"{platform.python_version()}, ")
    for library in ("numpy", "numba", "matplotlib", "rich", "safetensors"):
        assert facts[library] == importlib.metadata.version(library)


def test_backends_processors_and_data_are_true(facts):
    best = backends.load(backends.AUTOMATIC[0])
    assert facts["backend"] == f"{best.name} ({best.detail}), chosen by default"
    for name in backends.AUTOMATIC:
        assert facts[f"backend {name}"] == f"available ({backends.load(name).detail})"
    assert facts["processors"] == threads.available()
    assert len(list(Path(facts["data"]).glob("*-ubyte.gz"))) == 4


def test_choices_are_explained(tmp_path):
    assert "chosen by --backend" in info(tmp_path, "--backend", "numpy")["backend"]
    compiling = info(tmp_path, "--backend", "numba")
    assert "users' own activations and losses included" in compiling["training path"]
    assert Path(compiling["compiled code"]).is_dir()
    found = info(tmp_path, FASTBP_BACKEND="numpy", FASTBP_NUM_THREADS="3")
    assert found["backend"].startswith("numpy")
    assert found["backend"].endswith("chosen by FASTBP_BACKEND")
    assert re.search(r"\b3\b", found["threads"])


@x86
@pytest.mark.parametrize("level", backends.LEVELS[: max(LEVEL - 1, 0)])
def test_cpu_level_can_be_capped(tmp_path, level):
    found = info(tmp_path, FASTBP_CPU=level)
    assert found["backend cython"] == f"available ({level})"
    assert found["CPU level"] == (
        f"this processor runs x86-64-v{LEVEL}; FASTBP_CPU caps it at {level}"
    )


@pytest.mark.parametrize(
    "name", ["FASTBP_BACKEND", pytest.param("FASTBP_CPU", marks=x86), "FASTBP_NUM_THREADS"]
)
@pytest.mark.parametrize("command", ["info", "train"])
def test_wrong_environment_variable_is_named(tmp_path, command, name):
    result = run_process(command, cwd=tmp_path, env={name: "wrong"})
    assert_error(result, f"{name}: expected", "'wrong'")
    assert list(tmp_path.iterdir()) == []


WITHOUT_NUMBA = "sys.modules['numba'] = None\nsys.exit(main(sys.argv[1:]))"
WITHOUT_NATIVE = "sys.modules['fastbp.kernels._cpu'] = None\nsys.exit(main(sys.argv[1:]))"


def test_a_missing_numba_is_explained_and_not_missed(tmp_path):
    result = run_script(WITHOUT_NUMBA, "info", "--json", cwd=tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.json["backend numba"].startswith("not available: Numba cannot be imported (")
    assert result.json["backend"].startswith("cython")


def test_missing_native_kernels_are_replaced_with_a_warning(tmp_path):
    result = run_script(WITHOUT_NATIVE, "info", "--json", cwd=tmp_path)
    assert result.code == 0
    assert_one_line(result.err, "warning: ", "numba backend", "not built", "FASTBP_BACKEND=numba")
    assert result.json["backend"].startswith("numba")
    assert "not built" in result.json["backend cython"]
    assert "not built" in result.json["CPU level"]


@pytest.mark.parametrize(
    ("script", "backend", "reason"),
    [(WITHOUT_NUMBA, "numba", "cannot be imported"), (WITHOUT_NATIVE, "cython", "not built")],
)
def test_a_backend_that_was_asked_for_is_never_replaced(tmp_path, script, backend, reason):
    result = run_script(script, "train", "--backend", backend, cwd=tmp_path)
    assert_error(result, f"backend '{backend}' is not available", reason)
    assert list(tmp_path.iterdir()) == []
