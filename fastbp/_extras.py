"""Libraries that are extras: what is said where one is missing, or older than what is called."""

from __future__ import annotations

_Version = tuple[int, int]


def missing(asker: str, library: str, extra: str) -> ModuleNotFoundError:
    """The error of what needs a library that is not there, by its name in prose and its extra."""
    return ModuleNotFoundError(
        f"{asker} needs {library}, which is not installed: pip install 'fastbp[{extra}]'"
    )


def check_version(asker: str, library: str, distribution: str, extra: str, least: _Version) -> None:
    """Refuse a library that is missing, or older than ``least``.

    Raises
    ------
    ImportError
        Which says what to install.
    """
    from importlib import metadata  # which takes as long as a third of NumPy

    try:
        found = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        raise missing(asker, library, extra) from None
    if tuple(int(part) for part in found.split(".")[:2]) < least:
        wanted = ".".join(map(str, least))
        raise ImportError(
            f"{asker} needs {library} {wanted} or later, found {found}: "
            f"pip install --upgrade 'fastbp[{extra}]'"
        )
