"""What the sources must keep to besides their imports. A check returns its faults, one a line."""

import ast
import re
from collections.abc import Iterator, Sequence

from house import Source

LONGEST_FILE, LONGEST_FUNCTION = 400, 50
NUMBERS = ("kernels/numbers.py", "kernels/native/numbers.pxd")  # where engine numbers are typed
COUNTED = {"auto", "int", "int32", "int64", "len", "range"}  # calls that make numbers


def long_files(sources: Sequence[Source]) -> list[str]:
    """Files above LONGEST_FILE lines."""
    lines = {s.path: len(s.text.splitlines()) for s in sources}
    return [f"{path}: {count} lines" for path, count in lines.items() if count > LONGEST_FILE]


def long_functions(sources: Sequence[Source]) -> list[str]:
    """Functions above LONGEST_FUNCTION lines, from header to last line, without docstrings."""
    return [
        f"{s.path}:{line}: {name}, {length} lines"
        for s in sources
        for name, line, length in (python_functions(s.tree) if s.tree else c_functions(s.text))
        if length > LONGEST_FUNCTION
    ]


def python_functions(tree: ast.AST) -> Iterator[tuple[str, int, int]]:
    """Name, first line and length of each; a docstring is long by design, and not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                length -= node.body[0].end_lineno - node.body[0].lineno + 1
            yield node.name, node.lineno, length


def c_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """The same of Cython's: a body ends before the first line that is indented no more."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        header = re.match(r"(\s*)(?:def|cdef|cpdef)\b[^=(]*?(\w+)\s*\(", line)
        if not header:
            continue
        depth, last = 0, start
        for last in range(start, len(lines)):  # the signature, which may take some lines
            code = lines[last].partition("#")[0]
            depth += code.count("(") - code.count(")")
            if depth <= 0:
                break
        if not code.rstrip().endswith(":"):
            continue  # a declaration
        for number in range(last + 1, len(lines)):
            inside = lines[number]
            if inside.strip() and len(inside) - len(inside.lstrip()) <= len(header[1]):
                break
            last = number if inside.strip() else last
        yield header[2], start + 1, last - start + 1


def capability_checks(sources: Sequence[Source]) -> list[str]:
    """Places that ask a backend or its module what it has: it says so in CAPABILITIES."""
    return [
        f"{s.path}:{node.lineno}: {ast.unparse(node)}"
        for s in sources
        for node in (ast.walk(s.tree) if s.tree else ())
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func), len(node.args)) in (("hasattr", 2), ("getattr", 3))
        and re.search("kernels|backend|module|chosen", ast.unparse(node.args[0]))
    ]


def typed_numbers(sources: Sequence[Source]) -> list[str]:
    """Places outside NUMBERS where a name of kernels/numbers.py gets a number."""
    names = {name for s in sources if s.path == NUMBERS[0] for name, _, _ in typed(s)}
    found = {
        f"{s.path}:{line}: {what}": None  # once, however many names are in the line
        for s in sources
        if s.path not in NUMBERS
        for name, line, what in typed(s)
        if name.lstrip("_") in names
    }
    return [*found]


def typed(source: Source) -> Iterator[tuple[str, int, str]]:
    """Names that get numbers: (name, line, the statement)."""
    return typed_by_python(source.tree) if source.tree else typed_by_c(source.text)


def typed_by_python(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    """Those of the module itself, and an enum's; one taken over, as Kind.DENSE, is not typed."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    enums = (c.body for c in classes if any("Enum" in ast.unparse(base) for base in c.bases))
    for node in (statement for body in (tree.body, *enums) for statement in body):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not is_number(node.value):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for name in (n for target in targets for n in ast.walk(target)):
            if isinstance(name, ast.Name):
                yield name.id, node.lineno, ast.unparse(node)


def is_number(value: ast.expr | None) -> bool:
    """Whether it is made of whole numbers: written, counted, or computed from others."""
    if value is None:
        return False
    inside = [*ast.walk(value)]
    calls = [ast.unparse(n.func).rpartition(".")[2] for n in inside if isinstance(n, ast.Call)]
    constants = [n.value for n in inside if isinstance(n, ast.Constant)]
    taken_over = any(isinstance(n, ast.Attribute) and n.attr.isupper() for n in inside)
    only_numbers = COUNTED.issuperset(calls) and all(type(c) is int for c in constants)
    return only_numbers and not taken_over and bool(constants or calls)


def typed_by_c(text: str) -> Iterator[tuple[str, int, str]]:
    """Members of enums in Cython, and names that DEF defines."""
    indent = None  # of the enum around a line
    for number, line in enumerate(text.splitlines(), 1):
        code = line.partition("#")[0].rstrip()
        if not code:
            continue
        if header := re.match(r"(\s*)c?p?def(?:\s+\w+)*?\s+enum\b[^:]*:(.*)", code):
            indent, code = len(header[1]), header[2]
        elif defined := re.match(r"\s*DEF\s+(\w+)", code):
            yield defined[1], number, line.strip()
        elif indent is not None and len(code) - len(code.lstrip()) <= indent:
            indent = None
        if indent is not None:
            for member in re.finditer(r"(?:^|,)\s*(\w+)", code):
                yield member[1], number, line.strip()


def unformatted(sources: Sequence[Source]) -> list[str]:
    """Statements that the formatter leaves alone; no fault, but a measure."""
    return [
        f"{s.path}:{number}: {line.strip()}"
        for s in sources
        for number, line in enumerate(s.text.splitlines(), 1)
        if "# fmt: skip" in line
    ]
