"""The results as a Markdown table, for the README and the terminal."""

import textwrap
from typing import Any

FASTBP = "fastbp"
OTHERS = ("fastbp, numba", "PyTorch", "torch.compile", "JAX", "scikit-learn")
NAMES = {"scikit-learn": "scikit-learn", "torch": "PyTorch", "jax": "JAX", "numpy": "NumPy"}


def markdown(report: dict[str, Any]) -> str:
    """The table of a report, and below it what was measured, with what and where."""
    settings = report["settings"]
    measured = {peer["name"] for setting in settings.values() for peer in setting["peers"]}
    others = [name for name in OTHERS if name in measured]
    head = ["", FASTBP, f"{FASTBP}, 1 thread", *others]
    rows = [_row(name, setting, others) for name, setting in settings.items()]
    table = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([*lines, "", _origin(report)])


def _row(name: str, setting: dict[str, Any], others: list[str]) -> list[str]:
    fastest = _median(setting, FASTBP, None)
    cells = [f"{name}: {setting['description']}", _time(fastest)]
    cells.append(_time(_median(setting, FASTBP, 1)))
    for other in others:
        median = _median(setting, other)
        ratio = "–" if median is None else f"{_time(median)} ({_three(median / fastest)}×)"
        cells.append(ratio)
    return cells


def _median(setting: dict[str, Any], name: str, threads: Any = "any") -> Any:
    """The median of a library, of its best number of threads unless one is asked for; or None."""
    return min(
        (
            peer["median"]
            for peer in setting["peers"]
            if peer["name"] == name and threads in ("any", peer["threads"])
        ),
        default=None,
    )


def _time(seconds: float) -> str:
    return f"{_three(seconds * 1e6)} µs" if seconds < 1e-3 else f"{_three(seconds)} s"


def _three(number: float) -> str:
    """A number with two or three digits, never as a power of ten."""
    return (
        f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
    )


def _origin(report: dict[str, Any]) -> str:
    machine, versions = report["machine"], report["versions"]
    libraries = [f"{NAMES.get(name, name)} {number}" for name, number in versions.items()]
    origin = (
        "Time of an epoch of MNIST's 60 000 training images (or of one prediction), the median of "
        f"{report['repeats']}, and how many times fastbp's; the other libraries with one thread or "
        f"with all, whichever is faster. {machine['processor']}, {machine['cores']} cores, "
        f"{report['date']}; {', '.join(libraries)}; fastbp's backend: {report['backend']}."
    )
    return textwrap.fill(origin, 100, break_on_hyphens=False)
