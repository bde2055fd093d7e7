"""``python -m fastbp export``: a saved model in a form that runs without fastbp."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import fastbp as fb
from fastbp.cli import _arguments
from fastbp.cli._arguments import UsageError
from fastbp.datasets._dialect import text_of
from fastbp.interop.c.names import checked_name

HELP = "write a saved model as C, ONNX, PyTorch's numbers or a program of NumPy alone"


class Format(NamedTuple):
    """What a model is written as."""

    what: str
    ending: str  # of the file's name, where nobody gave one
    write: Callable[[Any, Path, str | None], None]
    use: Callable[[Path], list[str]]  # for whoever has the file now

    @property
    def suffix(self) -> str:
        """By which --output tells the format."""
        return Path(f"model{self.ending}").suffix


def _calls(path: Path) -> list[str]:
    """The header's functions, with sizes in place of their names."""
    text = path.read_text("utf-8")
    calls = re.findall(r"^static inline (\w+ \w+_(?:scores|predict\w*)\(.*\))$", text, re.M)
    sizes = dict(re.findall(r"^#define (\w+) (\d+)$", text, re.M))
    return [re.sub(r"\[(\w+)\]", lambda size: f"[{sizes[size[1]]}]", call) for call in calls]


def _session(path: Path) -> list[str]:
    """What ONNX Runtime is asked, and of a table what it is given."""
    import onnx

    graph = onnx.load(path).graph
    output, inputs = graph.output[0].name, [each.name for each in graph.input]
    texts = [e.name for e in graph.input if e.type.tensor_type.elem_type == onnx.TensorProto.STRING]
    session = f'onnxruntime.InferenceSession("{path}")'
    if inputs == ["x"] and not texts:
        return [f'{session}.run(["{output}"], {{"x": x}})']
    kinds = {"float64": [name for name in inputs if name not in texts], "text": texts}
    told = "; ".join(f"{kind}: {text_of(names)}" for kind, names in kinds.items() if names)
    return [f'{session}.run(["{output}"], columns)', f"columns, (n, 1) each, of {told}"]


FORMATS = {
    "c": Format("a C header", ".h", lambda net, path, name: fb.c.save(net, path, name), _calls),
    "numpy": Format(
        "a program of NumPy alone",
        ".py",
        lambda net, path, name: fb.numpy_source.save(net, path),
        lambda path: [f"import {path.stem}; {path.stem}.predict(x)", f"python {path} samples.csv"],
    ),
    "onnx": Format(
        "an ONNX model",
        ".onnx",
        lambda net, path, name: fb.onnx.save(net, path),
        _session,
    ),
    "torch": Format(
        "PyTorch's state dict",
        "-torch.safetensors",  # not over the model itself
        lambda net, path, name: fb.torch.save(net, path),
        lambda path: [f'module.load_state_dict(safetensors.torch.load_file("{path}"))'],
    ),
}
SUFFIXES = {each.suffix: name for name, each in FORMATS.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help="a model.safetensors that train wrote, or its run"
    )
    told = ", ".join(f"{name}: {each.what}" for name, each in FORMATS.items())
    parser.add_argument("--format", choices=[*FORMATS], help=f"{told} (default: by --output)")
    told = f"its ending tells the format: {', '.join(SUFFIXES)}"
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help=f"the file that is written; {told} (default: the model's name, in this folder)",
    )
    parser.add_argument("--name", help="what C's names begin with (default: the file's)")
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file, and print what it is and how it is called."""
    name = args.format or SUFFIXES.get("" if args.output is None else args.output.suffix)
    if name is None:
        wanted = f"--format {'|'.join(FORMATS)}, or an --output that ends in {', '.join(SUFFIXES)}"
        sys.stderr.write(f"python -m fastbp export: error: name a {wanted}\n")
        return _arguments.USAGE
    if args.name is not None and name != "c":
        raise UsageError("--name: goes with --format c, whose names begin with it")
    model = _arguments.model_path(args.model)
    output = args.output or Path((args.name or model.stem) + FORMATS[name].ending)
    if output.exists() and output.samefile(model):
        raise UsageError(f"--output {output}: is the model itself; name another file")
    if args.name is not None:
        try:
            checked_name(args.name, output, "--name")
        except ValueError as problem:
            raise UsageError(str(problem)) from None
    FORMATS[name].write(fb.load(model), output, args.name)
    if output.is_file() and output.parent != Path("/dev"):  # where others read it
        _tell(args, name, output)
    return 0


def _tell(args: argparse.Namespace, name: str, output: Path) -> None:
    """Print what was written, and how it is used."""
    size, use = output.stat().st_size, FORMATS[name].use(output)
    if args.json:
        about = {"model": str(args.model), "format": name, "output": str(output)}
        _arguments.print_json(about | {"bytes": size, "use": use})
    else:
        sys.stdout.write(f"{output}: {FORMATS[name].what}, {size:,} bytes\n")
        sys.stdout.writelines(f"  {line}\n" for line in use)
