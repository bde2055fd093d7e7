"""Numbers of things, in words."""


def counted(number: int, thing: str) -> str:
    """One epoch, 1,000 epochs."""
    return f"{number:,} {thing}{'s' * (number != 1)}"
