"""The results as a Markdown table, for the README and the terminal."""

import textwrap
from typing import Any

from _tasks import TASKS, Work
from measures import measured_peak

from fastbp.threads import available

FASTBP = "fastbp"
NUMBA = f"{FASTBP}, numba"
OTHERS = (NUMBA, "PyTorch", "torch.compile", "JAX", "scikit-learn", "onnxruntime")
WANTED = ("PyTorch", "JAX", "onnxruntime")  # beside whom fastbp is to be so many times as fast
NAMES = {"scikit-learn": "scikit-learn", "torch": "PyTorch", "jax": "JAX", "numpy": "NumPy"}


def markdown(report: dict[str, Any]) -> str:
    """The table of a report, and below it what was measured, with what and where."""
    settings = report["settings"]
    measured = {peer["name"] for setting in settings.values() for peer in setting["peers"]}
    others = [name for name in OTHERS if name in measured]
    head = ["", FASTBP, f"{FASTBP}, 1 thread", *others]
    rows = [_row(name, setting, others) for name, setting in settings.items()]
    return "\n".join([_table(head, rows), "", _origin(report)])


def against_goals(report: dict[str, Any]) -> str:
    """How many times as fast fastbp is as each library's best, and is to be; then its Numba."""
    head = ["", FASTBP, *(f"× {name}" for name in WANTED), "goal", "reached"]
    rows = [
        _standing(f"{name}{who}", setting, fastbp, setting[goals])
        for fastbp, who, goals in ((FASTBP, "", "goals"), (NUMBA, ", numba", "goals_of_numba"))
        for name, setting in report["settings"].items()
        if goals in setting and _median(setting, fastbp) is not None
        if fastbp == FASTBP or setting[goals]
    ]
    return _table(head, rows)


def against_the_machine(report: dict[str, Any]) -> str:
    """How long the arithmetic of an epoch takes at this machine's peak, and what goals come to.

    The peak is that of matrix products that stay in the cache, on all cores. Where inputs are zero,
    what they are multiplied with is left out; forward, backward and update are the rest.
    """
    peak = measured_peak() * 1e9 * available()
    head = ["", "arithmetic", FASTBP, "of the peak", "goal", "of the peak"]
    rows = []
    for name, setting in report["settings"].items():
        task = TASKS[name]
        if task.work is Work.PREDICT or not setting.get("goals"):
            continue
        steps = 1 if task.work is Work.TRAIN else task.setting.size / task.setting.batch_size
        least = task.setting.needed_flops * task.setting.size / steps / peak
        fastbp = _median(setting, FASTBP)
        row = [name, _time(least), _time(fastbp), f"{least / fastbp:.0%}"]
        for other, goal in setting["goals"].items():
            if (median := _median(setting, other)) is not None:
                wanted = median / goal
                rows.append([*row, f"{other} {goal:g}: {_time(wanted)}", f"{least / wanted:.0%}"])
                row = [""] * len(row)
    return _table(head, rows)


def _standing(
    name: str, setting: dict[str, Any], fastbp: str, goals: dict[str, float]
) -> list[str]:
    """A row: the ratios, what is wanted, and which of it there is."""
    fastest = _median(setting, fastbp)
    medians = {other: _median(setting, other) for other in WANTED}
    ratios = {other: median / fastest for other, median in medians.items() if median is not None}
    wanted = ", ".join(f"{other} {goal:g}" for other, goal in goals.items())
    known = {other: ratios[other] >= goal for other, goal in goals.items() if other in ratios}
    short = [other for other, reached in known.items() if not reached]
    reached = f"not {', '.join(short)}" if short else "yes" if known else "–"
    cells = [_three(ratios[other]) if other in ratios else "–" for other in WANTED]
    return [name, _time(fastest), *cells, wanted or "–", reached]


def _table(head: list[str], rows: list[list[str]]) -> str:
    table = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in table)


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
    """Below a tenth of a second in milliseconds or microseconds."""
    if seconds >= 0.1:
        return f"{_three(seconds)} s"
    return f"{_three(seconds * 1e3)} ms" if seconds >= 1e-3 else f"{_three(seconds * 1e6)} µs"


def _three(number: float) -> str:
    """A number with two or three digits, never as a power of ten."""
    return (
        f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
    )


def _origin(report: dict[str, Any]) -> str:
    machine, versions = report["machine"], report["versions"]
    libraries = [f"{NAMES.get(name, name)} {number}" for name, number in versions.items()]
    origin = (
        "Time of an epoch, of MNIST's 60 000 training images or of so many rows (or of what the "
        f"line says), the median of {report['repeats']}, and how many times fastbp's; the other "
        "libraries with one thread or with all, in whichever of their ways is faster. "
        f"{machine['processor']}, {machine['cores']} cores, {report['date']}; "
        f"{', '.join(libraries)}; fastbp's backend: {report['backend']}."
    )
    return textwrap.fill(origin, 100, break_on_hyphens=False)
