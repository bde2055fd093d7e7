"""``python -m fastbp``: see ``fastbp.cli``."""

import sys

try:
    from fastbp.cli import main
except KeyboardInterrupt:  # while modules are still being imported; main answers a later one
    sys.stderr.write("fastbp: stopped\n")
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
