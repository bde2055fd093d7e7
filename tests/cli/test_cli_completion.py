"""--print-completion: a shell that has read the script completes commands, options and choices."""

import subprocess
import sys

import pytest
from command_line import assert_error, run

ASK = """\
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
function=$(complete -p fastbp | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function fastbp "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
echo "${COMPREPLY[*]}"
"""
WORDS = {
    "fastbp tr": {"train"},
    "fastbp exp": {"experiment", "explain", "export"},
    "fastbp train --opt": {"--optimizer"},
    "fastbp train --optimizer ad": {"adam", "adamw", "adagrad"},
    "fastbp export --format o": {"onnx"},
    "fastbp predict mo": {"model.safetensors"},
}


def test_bash_completes_what_is_begun(tmp_path):
    pytest.importorskip("shtab")
    printed = run("--print-completion", "bash", cwd=tmp_path)
    assert (printed.code, printed.err) == (0, "")
    (tmp_path / "script").write_text(printed.out)
    (tmp_path / "model.safetensors").touch()
    for typed, expected in WORDS.items():
        command = ["bash", "-c", ASK, "bash", *typed.split()]
        asked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert {*asked.stdout.split()} == expected, typed


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_scripts_of_theirs(shell, tmp_path):
    pytest.importorskip("shtab")
    printed = run("--print-completion", shell, cwd=tmp_path)
    assert (printed.code, printed.err) == (0, "")
    assert "fastbp" in printed.out
    assert "early-stopping" in printed.out


def test_without_shtab_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    told = (
        "--print-completion needs shtab, which is not installed: pip install 'fastbp[completion]'"
    )
    assert_error(run("--print-completion", "bash", cwd=tmp_path), told)
