"""Several networks at once: in threads, processes or on other machines, each as if it were alone.

The caller's side: ``fitting`` is ``fit_many``, which gives a ``crew`` (``crews``, ``cluster``) jobs
as it has room for them (``feeding``) and takes what comes of them (``sending``). ``work`` is what
runs in a worker, wherever that is.
"""

from .cluster import opened as opened
from .fitting import fit_many as fit_many
from .job import Job as Job

__all__ = ["Job", "fit_many", "opened"]
