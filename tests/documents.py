"""Code blocks of README and the documents: what they are, and what is checked of each kind.

Python runs, all of a page's blocks one after another in one namespace and a folder of its own; what
a block of ``>>>`` lines shows must come, and where it shows nothing, anything may. Shell commands
are parsed as the program that they call would.
"""

import contextlib
import doctest
import itertools
import re
import shlex
import shutil
import subprocess
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt

from fastbp.cli import _main

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("dask", "onnx", "onnxruntime", "pandas", "polars", "scipy", "sklearn", "torch")
# Programs whose arguments nobody checks here.
OTHERS = ("apt-get", "cd", "gcc", "git", "mmdebstrap", "mypy", "perf", "pytest", "ruff", "source",
          "cibuildwheel")  # fmt: skip
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A code block: its language, which of indented ones is that of a shell."""

    language: str
    text: str
    line: int


def documents() -> list[str]:
    """README, CONTRIBUTING and all pages that are written by hand."""
    written = [path for path in (ROOT / "docs").rglob("*.md") if "reference" not in path.parts]
    names = [str(path.relative_to(ROOT)) for path in sorted(written) if "_build" not in path.parts]
    return ["README.md", "CONTRIBUTING.md", *names]


def blocks(text: str) -> list[Block]:
    """Of a page; not the directives of the site's."""
    found = []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "code_block":
            found.append(Block("sh", token.content, token.map[0]))
        elif token.type == "fence" and not token.info.startswith("{"):
            found.append(Block(token.info.strip(), token.content, token.map[0] + 1))
    return found


class Lenient(doctest.OutputChecker):
    """What is shown must come. Where nothing is shown, anything may."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


def told_of(text: str, names: dict[str, Any], where: str, line: int = 0) -> str:
    """Run ``>>>`` lines in a namespace, and tell where something else comes than is shown."""
    found = doctest.DocTestParser().get_doctest(text, names, where, where, line)
    said: list[str] = []
    runner = doctest.DocTestRunner(Lenient(), verbose=False, optionflags=FLAGS)
    runner.run(found, out=said.append, clear_globs=False)
    names.update(found.globs)
    return "".join(said)


def installed(text: str) -> bool:
    """Whether the extras that code names are here."""
    return all(find_spec(name) for name in EXTRAS if re.search(rf"\b{name}\b", text))


def run_python(block: Block, names: dict[str, Any], where: str) -> None:
    """Run a block in the namespace of its page, if the extras that it names are installed."""
    if not installed(block.text):
        return
    if block.text.startswith(">>>"):
        said = told_of(block.text, names, where, block.line)
        assert not said, said
    else:
        exec(compile("\n" * block.line + block.text, where, "exec"), names)


def check_c(block: Block) -> None:
    """A program compiles; of declarations each is in the header that the page has written."""
    if "int main" in block.text and (compiler := shutil.which("cc")):
        command = [compiler, "-std=c99", "-Wall", "-Werror", "-fsyntax-only", "-I.", "-xc", "-"]
        subprocess.run(command, input=block.text, text=True, check=True)
    elif "int main" not in block.text:
        declared = re.findall(r"^(?:#define .*|(?:void|int) .*?\))", block.text, re.MULTILINE)
        header = "".join(path.read_text("utf-8") for path in Path().glob("*.h"))
        assert declared
        assert [line for line in declared if line not in header] == []


def check_toml(block: Block) -> None:
    """A file of TOML is one."""
    tomllib.loads(block.text)


def check_shell(block: Block) -> None:
    """Each command is one: fastbp's are parsed by its parser, files that are named are there."""
    for words in commands(block.text):
        check_command(words)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command, without its variables and where its output goes."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;>")
        lexer.whitespace_split = True
        for separator, words in itertools.groupby(lexer, lambda word: set(word) <= set("&|;>")):
            if not separator:
                command = list(itertools.dropwhile(re.compile("[A-Z_]+=").match, words))
                if command:
                    yield command


def check_command(words: list[str]) -> None:
    program, *rest = words
    if program in ("python", "python3") and rest[:2] == ["-m", "fastbp"]:
        parsed(_main._parser(), rest[2:])
    elif program == "fastbp":
        parsed(_main._parser(), rest)
    elif program in ("python", "python3"):
        check_python_command(rest)
    elif program == "pip":
        check_pip(rest)
    elif program == "make":
        makefile = (ROOT / rest[1] / "Makefile").read_text("utf-8")
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in rest[2:])
    elif "/" in program:
        assert (ROOT / program).exists(), program
    else:
        assert program in OTHERS, f"{program}: not a program that is known here"


def parsed(parser: ArgumentParser, words: list[str]) -> None:
    """Leave out what stands for more of the same."""
    with contextlib.suppress(SystemExit):
        parser.parse_args([word for word in words if word != "…"])
        return
    raise AssertionError(f"not understood: {shlex.join(words)}")


def check_python_command(words: list[str]) -> None:
    if words[0] == "-c":
        compile(words[1], "-c", "exec")
    elif words[0] == "-m":
        assert words[1] in ("build", "pytest", "sphinx", "venv"), words
    elif "/" in words[0]:
        script = (ROOT / words[0]).read_text("utf-8")
        options = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
        unknown = [each for each in options if each not in script]
        assert not unknown, f"{words[0]} has no {unknown}"


def check_pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    for word in words:
        named = re.search(r"(?:fastbp|\.)\[([\w,]+)\]", word)
        assert not named or set(named[1].split(",")) <= set(extras), word
    for option, file in itertools.pairwise(words):
        assert option != "-r" or (ROOT / file).is_file(), file
