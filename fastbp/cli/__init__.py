"""The command line. Each command is a module with HELP, ``add_arguments`` and ``run``.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage,
130 stopped by Ctrl-C.
"""

from ._main import main as main
