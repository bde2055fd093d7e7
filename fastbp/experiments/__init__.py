"""The two reports, as data: one experiment a row, one runner, one report page.

``report_a`` and ``report_b`` say what is trained, drawn and claimed. ``runner`` trains, ``kept``
stores and reads what was trained, ``summary`` makes numbers of it, ``claims`` judges, ``figures``
draws, ``page`` and ``markdown`` write the report.
"""

from .report_a import REPORT_A
from .report_b import REPORT_B
from .spec import Experiment

EXPERIMENTS: tuple[Experiment, ...] = (*REPORT_A, *REPORT_B)


def find(name: str) -> Experiment:
    """The experiment of that name, or of that row of the reports ("B.3").

    Raises
    ------
    ValueError
        If there is none.
    """
    for experiment in EXPERIMENTS:
        if name in (experiment.name, experiment.row):
            return experiment
    names = ", ".join(experiment.name for experiment in EXPERIMENTS)
    raise ValueError(f"no experiment {name!r}; there are {names}, and all")
