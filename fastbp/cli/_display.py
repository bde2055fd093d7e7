"""How displays on stderr show a line of text: not at all, plainly, or above a live bar."""

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress


class Silent:
    """Shows nothing; knows when it began."""

    started = 0.0

    def __enter__(self) -> Self:
        self.started = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def say(self, line: str) -> None:
        """Show one line of text."""


class Plain(Silent):
    """A line is a line, for logs and pipes."""

    def say(self, line: str) -> None:
        """Write the line."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class AboveBar(Silent):
    """Lines stand above a live bar, which ends with the block."""

    bar: "Progress"

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):  # the terminal is gone
            self.bar.stop()

    def say(self, line: str) -> None:
        """Write the line above the bar."""
        self.bar.console.print(line, markup=False, soft_wrap=True)
