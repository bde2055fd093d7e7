"""The command line. Each command is a module with HELP, ``add_arguments`` and ``run``.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage,
130 stopped by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP: 128 and the signal's number.
"""

from ._main import main as main
