"""Pages that the build makes, and which pages there are."""

from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
REFERENCE = DOCS / "reference"
HERE = "HOW-TO PAGES"  # in index.md: every page beside it that it does not name itself
TAKEN = ("genindex", "py-modindex", "search")  # pages that Sphinx writes last, over any others


def write(name: str, text: str) -> None:
    """Write a made page; one that is the same is left alone, so that Sphinx need not read it."""
    path = REFERENCE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def name_all(app: object, document: str, source: list[str]) -> None:
    """Put the names of all other pages where index.md has room for them."""
    if document == "index":
        source[0] = source[0].replace(HERE, "\n".join(others(source[0])))


def others(index: str) -> list[str]:
    """The pages beside index.md that it does not name."""
    named = {line.strip() for line in index.splitlines()} | {"index"}
    found = [path.stem for path in sorted(DOCS.glob("*.md"))]
    if taken := sorted({*found} & {*TAKEN}):
        raise ValueError(f"docs/{taken[0]}.md: Sphinx has a page of that name; call it otherwise")
    return [name for name in found if name not in named]
