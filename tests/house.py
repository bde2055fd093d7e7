"""Reads the sources as they lie in a checkout, and finds imports that are against the rules.

Nothing is imported: a module is its syntax tree. Every check returns its faults, one line each.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# From top to bottom: a module imports from its own row and from rows below it. A name stands for
# a module, or for a package with all that is in it; __init__ is fastbp's own, the public names.
ORDER = (
    ("cli", "__main__"),
    ("__init__",),
    ("experiments",),
    (
        "c",
        "explain",
        "interop",
        "models",
        "numpy_source",
        "onnx",
        "outcome",
        "plots",
        "recording",
        "run_pictures",
        "runs",
        "sklearn",
        "tabular",
        "torch",
        "tuning",
    ),
    ("many", "training"),
    ("gradcheck", "storage"),
    ("engine",),
    ("ensemble",),
    ("_shown", "_structure", "network", "prediction"),
    ("custom",),
    (
        "derivatives",
        "initializers",
        "layers",
        "losses",
        "optimizers",
        "schedules",
    ),
    ("meaning",),
    ("_above", "threads"),
    ("backends",),
    ("datasets", "pictures"),
    ("_settings", "space"),
    ("_checks",),
    (
        "_arrays",
        "_counted",
        "_extras",
        "_files",
        "_hints",
        "_late",
        "_memory",
        "_moments",
        "_stopped",
        "_version",
        "pages",
        "tabular.split",
    ),
    ("_guesses", "_tensors"),
    ("kernels",),  # which know nothing of fastbp
)
LEVELS = {name: level for level, row in enumerate(ORDER) for name in row}
HEAVY = {  # what `import fastbp` must not wait for, and may be imported where it is used
    *("IPython", "PIL", "cloudpickle", "dask", "distributed", "llvmlite", "matplotlib", "numba"),
    *("onnx", "onnxruntime", "pandas", "pyarrow", "rich", "safetensors", "scipy", "sklearn"),
    *("shtab", "tensorboardX", "threadpoolctl", "torch"),
}


class Import(NamedTuple):
    """What a module imports, and where."""

    target: str  # a module; of ours only such as exist
    line: int
    late: bool  # inside a function


class Source(NamedTuple):
    """A file of the house."""

    path: str  # from the checkout's root
    text: str
    name: str = ""  # of the module, where it is Python
    tree: ast.Module | None = None
    imports: tuple[Import, ...] = ()


def read(root: Path) -> list[Source]:
    """All sources under fastbp/ and kernels/."""
    paths = sorted(path for part in ("fastbp", "kernels") for path in (root / part).rglob("*.p*"))
    texts = {
        path.relative_to(root).as_posix(): path.read_text()
        for path in paths
        if path.suffix in (".py", ".pyx", ".pxi", ".pxd")
    }
    names = {path: module_name(path) for path in texts if path.endswith(".py")}
    found = []
    for path, text in texts.items():
        if path not in names:
            found.append(Source(path, text))
            continue
        tree, is_package = ast.parse(text, path), path.endswith("/__init__.py")
        imports = dict.fromkeys(imports_of(tree, names[path], is_package, set(names.values())))
        found.append(Source(path, text, names[path], tree, tuple(imports)))
    return found


def module_name(path: str) -> str:
    """fastbp/layers/dense.py is fastbp.layers.dense; kernels/ is fastbp.kernels."""
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts if parts[0] == "fastbp" else ["fastbp", *parts])


def imports_of(tree: ast.AST, name: str, is_package: bool, own: set[str]) -> Iterator[Import]:
    """Every import that runs: those for type checkers alone do not."""

    def known(target: str) -> str:
        while target.startswith("fastbp.") and target not in own:
            target = target.rpartition(".")[0]
        return target

    def walk(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(known(alias.name), node.lineno, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, name, is_package)
            for alias in node.names:  # each may be a module
                target = known(f"{base}.{alias.name}") if is_own(base) else base
                yield Import(target, node.lineno, late)
        elif is_dynamic(node):
            yield Import(known(node.args[0].value), node.lineno, False)  # a choice, made aloud
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checked = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.orelse if checked else ast.iter_child_nodes(node):
            yield from walk(child, inside)

    return walk(tree, False)


def absolute(node: ast.ImportFrom, name: str, is_package: bool) -> str:
    """What an import is from: from .. in fastbp.layers.dense, from fastbp."""
    if not node.level:
        return node.module or ""
    here = name.split(".")
    parents = here[: len(here) - node.level + is_package]
    return ".".join([*parents, node.module] if node.module else parents)


def is_dynamic(node: ast.AST) -> bool:
    """Whether it is import_module("a name"); of names that are put together nothing is known."""
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("import_module")
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
    )


def circles(sources: Sequence[Source]) -> list[str]:
    """For each module the shortest way from it back to itself, each circle once."""
    arrows = {s.name: {i.target for i in s.imports if is_own(i.target)} for s in sources if s.name}
    found = set()
    for start in arrows:
        ways = {target: (start, target) for target in sorted(arrows[start])}
        waiting = [*ways]
        while waiting and start not in ways:
            here = waiting.pop(0)
            for target in sorted(arrows.get(here, ())):
                if target not in ways:
                    ways[target] = (*ways[here], target)
                    waiting.append(target)
        if start in ways:
            circle = ways[start][:-1]
            first = circle.index(min(circle))
            found.add((*circle[first:], *circle[: first + 1]))
    return [" -> ".join(circle) for circle in sorted(found, key=lambda c: (len(c), c))]


def arrows_up(sources: Sequence[Source]) -> list[str]:
    """Imports from a row of ORDER above the module's own."""
    return [
        f"{s.path}:{i.line}: {s.name} imports {i.target}, which stands above it"
        for s in sources
        for i in s.imports
        if is_own(i.target)
        and level(i.target) is not None
        and level(s.name) is not None
        and level(i.target) < level(s.name)
    ]


def homeless(sources: Sequence[Source]) -> list[str]:
    """Modules that ORDER does not name."""
    return [
        f"{s.path}: add {s.name.split('.')[1]!r} to ORDER in tests/house.py, in the row of those "
        "that may import what it imports"
        for s in sources
        if s.name and level(s.name) is None
    ]


def level(name: str) -> int | None:
    """The row of a module in ORDER, by the longest name there that it begins with."""
    parts = name.split(".")[1:] or ["__init__"]
    starts = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((LEVELS[start] for start in starts if start in LEVELS), None)


def late_imports(sources: Sequence[Source]) -> list[str]:
    """Imports inside functions, but of the standard library and of what is heavy."""
    allowed = HEAVY | sys.stdlib_module_names
    return [
        f"{s.path}:{i.line}: imports {i.target} inside a function"
        for s in sources
        for i in s.imports
        if i.late and i.target.split(".")[0] not in allowed
    ]


def late_own_imports(sources: Sequence[Source]) -> list[str]:
    """Those among them that may hide an arrow: of our own modules."""
    return [fault for fault in late_imports(sources) if re.search(r"imports fastbp\b", fault)]


def is_own(target: str) -> bool:
    return target.split(".")[0] == "fastbp"
