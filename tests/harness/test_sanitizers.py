"""What tests/sanitize makes of reports; the builds themselves are its own matter."""

import subprocess

import sanitizers
from sanitizers import REPORT, ROOT, places

REPORTS = """
kernels/native/_cython_v3.c:12:5: runtime error: signed integer overflow
==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x1
WARNING: ThreadSanitizer: data race (pid=1)
    #0 f build/cython/kernels/native/_cython_v3.c:4
"""


def test_each_kind_of_report_counts():
    assert len(REPORT.findall(REPORTS)) == 3


def test_a_line_of_the_c_file_is_one_of_the_sources(tmp_path):
    folder = tmp_path / "build" / "cython" / "kernels" / "native"
    folder.mkdir(parents=True)
    text = '\n\n/* "pooling.pxd":77\n * pad\n */\n f();\n'
    (folder / "_cython_v3.c").write_text(text)
    assert [*places(tmp_path, "_cython_v3.c:6")] == ["    _cython_v3.c:6 is pooling.pxd:77"]


def test_the_checks_name_what_is_there():
    for kind in sanitizers.KINDS.values():
        for arguments in kind.checks:
            for argument in arguments:
                if argument.startswith("tests/"):
                    assert (ROOT / argument).exists()


def test_it_says_how_it_is_called():
    done = subprocess.run([ROOT / "tests" / "sanitize", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "ThreadSanitizer" in done.stdout
