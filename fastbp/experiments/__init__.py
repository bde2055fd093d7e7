"""The two reports, as data: one experiment a row, one runner, one report page.

``reports`` say what is trained, drawn and claimed. ``runner`` trains, ``summary`` makes numbers of
what was trained, ``claims`` judges, ``figures`` draws, ``page`` writes the report.
"""

from fastbp._hints import meant

from .reports import REPORT_A, REPORT_B
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
        if name.lower() in (experiment.name, experiment.row.lower()):
            return experiment
    names = [experiment.name for experiment in EXPERIMENTS]
    raise ValueError(
        f"no experiment {name!r}; there are {', '.join(names)}, and all{meant(name, names)}"
    )
