"""Runs experiments from spec to report: trains, writes tables and figures, then the page.

The output folder::

    networks/SETTINGS/seed-N/   each trained network: model, history, losses
    experiments/NAME/           its spec, tables and figures
    report/index.html           the page; report.md is its compact form
    settings.json               what --resume must agree with
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastbp._files import TEMPORARY, write_atomically
from fastbp._version import __version__
from fastbp.backends import active
from fastbp.runs import remove_leftovers

from .figures import Shown, draw
from .machine import describe_machine
from .page.content import Report, Section, short_table
from .page.html import html
from .page.markdown import markdown, table
from .pictures import Material
from .runner import Runs, Settings, Watcher, train
from .spec import Experiment
from .summary import Outcome, write_tables

try:
    import fcntl
except ImportError:  # Windows: several processes could then work in one folder
    fcntl = None  # type: ignore[assignment]

SETTINGS = "settings.json"
MARKS = "<!-- experiments: begin -->", "<!-- experiments: end -->"


def open_folder(root: Path, settings: Settings, resume: bool) -> bool:
    """Make the output folder, or check that a run in it can go on with these settings.

    Returns
    -------
    bool
        Whether there is a run to go on with.

    Raises
    ------
    ValueError
        If the folder is in use, or holds a run of other settings.
    OSError
        If it cannot be made or read.
    """
    ours = _comparable(settings)
    path = root / SETTINGS
    if resume and path.is_file():
        try:
            theirs = json.loads(path.read_text("utf-8"))
        except ValueError as problem:
            raise ValueError(f"{path}: damaged ({problem}); start anew in another folder") from None
        for name, value in ours.items():
            if not isinstance(theirs, dict) or theirs.get(name) != value:
                other = theirs.get(name) if isinstance(theirs, dict) else None
                raise ValueError(
                    f"--resume: {root} was made with {name} {other}, not {value}; "
                    "use the same, or another folder"
                )
        return True
    root.mkdir(parents=True, exist_ok=True)
    if any(not TEMPORARY.fullmatch(found.name) for found in root.iterdir()):
        advice = "name a new one" if resume else "name a new one, or --resume what is in it"
        raise ValueError(f"--output {root}: the folder is not empty; {advice}")
    text = json.dumps(ours, indent=2) + "\n"
    write_atomically(path, lambda file: file.write(text), "w")
    return False


def _comparable(settings: Settings) -> dict[str, object]:
    """What a network's result depends on beside its own settings, which name its folder."""
    backend = active()
    return {
        "fastbp": __version__,
        "backend": f"{backend.name} {backend.detail}",
        "limit": settings.limit,
    }


def reproduce(
    experiments: Sequence[Experiment], settings: Settings, root: Path, watcher: Watcher
) -> Report:
    """Train what is missing in `root`, and write tables, figures and report there.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; the networks that were finished are kept.
    ValueError
        If another process is at work in `root`.
    """
    with _alone(root):
        return _reproduce(experiments, settings, root, watcher)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other processes out of a folder, and remove what such as were killed left behind."""
    if fcntl is None:
        yield
        return
    folder = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"--output {root}: another process is at work there") from None
        except OSError:  # a file system without locks: whose leftovers they are cannot be known
            pass
        else:
            remove_leftovers(root)
        yield
    finally:
        os.close(folder)


def _reproduce(
    experiments: Sequence[Experiment], settings: Settings, root: Path, watcher: Watcher
) -> Report:
    started = time.perf_counter()
    experiments = [settings.apply(experiment) for experiment in experiments]
    runs = train(experiments, settings, root, watcher)
    train_set, test_set = settings.data()
    sections = []
    for experiment in experiments:
        watcher.writing(experiment)
        outcome = _outcome(experiment, runs, settings, len(test_set))
        folder = root / "experiments" / experiment.name
        folder.mkdir(parents=True, exist_ok=True)
        write_tables(outcome, folder)
        shown = draw(Material(outcome, train_set, test_set), folder)
        sections.append(Section(outcome, shown, outcome.verdicts()))
    seconds = time.perf_counter() - started
    report = Report(sections, settings, describe_machine(), seconds, watcher.found, watcher.wanted)
    _write_report(report, root / "report")
    return report


def _outcome(experiment: Experiment, runs: Runs, settings: Settings, images: int) -> Outcome:
    found = {
        variant.label: [runs[variant.network, seed] for seed in range(settings.seeds)]
        for variant in experiment.variants
    }
    return Outcome(experiment, found, images, settings.cut)


def _write_report(report: Report, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    page = html(report)
    write_atomically(folder / "index.html", lambda file: file.write(page), "w")

    def link(section: Section, shown: Shown) -> str:
        return f"../experiments/{section.experiment.name}/{shown.name}.png"

    text = markdown(report, link)
    write_atomically(folder / "report.md", lambda file: file.write(text), "w")


def write_docs(report: Report, folder: Path) -> Path:
    """Write the Markdown report as experiments.md with its pictures in experiments/.

    The pictures are reduced to 128 colours, which makes them a third as large. Pictures that an
    earlier call left there, and that the report no longer has, are removed. Where a README.md
    lies beside the folder and has the two MARKS, what is between them becomes the short table.
    """
    pictures = folder / "experiments"
    pictures.mkdir(parents=True, exist_ok=True)
    written = set()

    def link(section: Section, shown: Shown) -> str:
        assert shown.path is not None
        name = f"{section.experiment.name}-{shown.name}.png"
        _copy_picture(shown.path, pictures / name)
        written.add(name)
        return f"experiments/{name}"

    text = markdown(report, link)
    path = folder / "experiments.md"
    write_atomically(path, lambda file: file.write(text), "w")
    for section in report.sections:
        for old in pictures.glob(f"{section.experiment.name}-[0-9][0-9]-*.png"):
            if old.name not in written:
                old.unlink()
    _refresh(folder.resolve().parent / "README.md", table(short_table(report)))
    return path


def _refresh(readme: Path, text: str) -> None:
    """Put a text between the marks of a README that has them."""
    begin, end = MARKS
    old = readme.read_text("utf-8") if readme.is_file() else ""
    before, found, rest = old.partition(begin)
    _, closed, after = rest.partition(end)
    if found and closed:
        new = f"{before}{begin}\n{text}\n{end}{after}"
        write_atomically(readme, lambda file: file.write(new), "w")


def _copy_picture(source: Path, target: Path) -> None:
    from PIL import Image

    with Image.open(source) as image:
        # The method that keeps a thin line's own colour, which the default merges into another's.
        method = Image.Quantize.MAXCOVERAGE
        reduced = image.convert("RGB").quantize(128, method, dither=Image.Dither.NONE)
    write_atomically(target, lambda file: reduced.save(file, "PNG", optimize=True))
