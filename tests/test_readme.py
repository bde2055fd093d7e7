"""What README and the documents say of the tree is so: code, links, files and folders."""

import inspect
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
WIDEST = 220  # columns of a line that one can still read as text
DOCUMENTS = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
ENDINGS = "py|pyx|pxi|pxd|toml"


def blocks(text: str, language: str = "") -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def test_no_line_is_too_long() -> None:
    wide = [line for line in README.splitlines() if len(line) > WIDEST]
    assert not wide


def test_tanh_is_all_of_tanh() -> None:
    assert inspect.getsource(fb.Tanh) in blocks(README, "python")
    before = README.partition("class Tanh(Layer)")[0]
    path = re.findall(r"\]\(([^)]+)\)", before)[-1]
    assert (ROOT / path).read_text("utf-8") == inspect.getsource(inspect.getmodule(fb.Tanh))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    relative = [link for link in links if link and "://" not in link]
    assert [link for link in relative if not (path.parent / link).exists()] == []
    assert relative or document != "README.md"


def test_everything_is_where_it_is_said_to_be() -> None:
    (tree,) = blocks(README)
    folders, missing, tops = [ROOT], [], []
    for line in tree.splitlines():
        indent = len(line) - len(line.lstrip())
        name, *said = line.split()
        if indent < 8:  # not the rest of a description
            depth = indent // 2
            folders[depth + 1 :] = [folders[depth] / name]
            missing += [] if folders[-1].exists() else [folders[-1]]
            tops += [name] if depth == 0 else []
            assert folders[-1].is_dir() == name.endswith("/")
        else:
            said = [name, *said]
        named = re.findall(rf"[\w.]*\w\.(?:{ENDINGS})\b", " ".join(said))
        missing += [word for word in named if not any(folders[1].rglob(word))]
    assert missing == []
    assert tops == ["fastbp/", "kernels/", "tests/", "bench/", "tools/", "docs/"]


def test_the_tree_names_every_part_of_the_library() -> None:
    (tree,) = blocks(README)
    parts = [
        path for path in (ROOT / "fastbp").iterdir() if not path.name.startswith(("__", "py."))
    ]
    kernels = [*(ROOT / "kernels/native").glob("*.pxd"), *(ROOT / "kernels/_numba").glob("[a-z]*")]
    kernels += (ROOT / "kernels").glob("_[a-z]*.py")
    words = set(re.findall(r"\w+", tree))
    unnamed = [path.name for path in [*parts, *kernels] if path.stem not in words]
    assert sorted(unnamed) == []


def test_a_models_file_says_names_that_there_are() -> None:
    text = (ROOT / "docs/models.md").read_text("utf-8")
    (file,) = blocks(text, "toml")
    training = tomllib.loads(file)["training"]
    for key, known in (("loss", LOSSES), ("optimizer", OPTIMIZERS)):
        comment = re.search(rf"^{key} = \S+ +# or ([^;…]+), …", file, re.MULTILINE)[1]
        assert {training[key], *comment.split(", ")} <= set(known)


def test_what_is_said_of_training_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), np.arange(60) % 3
    net = fb.Sequential(fb.Linear(4, 8), fb.Tanh(), fb.Linear(8, 3))
    names = {"fb": fb, "net": net, "x": x, "y": y, "weights": rng.random(60)}
    found = blocks((ROOT / "docs/training.md").read_text("utf-8"), "python")
    assert len(found) == 8
    for block in found:
        exec(block, names)
    assert names["going"].history.epochs[-1].epoch == 10
