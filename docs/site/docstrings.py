"""Docstrings as they are written here, told to Sphinx."""

import re


def connect(app) -> None:
    """Have them read before napoleon reads them."""
    app.connect("autodoc-process-docstring", escape_bars, priority=100)
    app.connect("autodoc-skip-member", skip_others)


def escape_bars(app, what, name, value, options, lines: list[str]) -> None:
    """``|x|`` is a magnitude in a formula, not a name for something else, as it is to Sphinx."""
    for at, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``)", line)
            lines[at] = "".join(p if p.startswith("``") else p.replace("|", r"\|") for p in parts)


def skip_others(app, what, name, value, skip: bool, options) -> bool | None:
    """What a class has from another library is documented there."""
    module = getattr(value, "__module__", None) or ""
    return True if module and not module.startswith("fastbp") else None
