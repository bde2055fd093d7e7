"""``python -m fastbp info``: what is installed, what computes, and why."""

import argparse
import importlib.metadata
import os
import platform
from pathlib import Path

import fastbp as fb
from fastbp import backends, threads
from fastbp.cli import _arguments

HELP = "show versions, the backend and CPU level chosen and why, threads, and where the data is"

LIBRARIES = ("numpy", "numba", "matplotlib", "rich", "safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    _arguments.add_backend(parser)
    _arguments.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the facts."""
    facts = gather(args)
    if args.json:
        _arguments.print_json(facts)
    else:
        _arguments.print_facts("", {name: str(value) for name, value in facts.items()})
    return 0


def gather(args: argparse.Namespace) -> dict[str, str | int]:
    """Everything to know about this installation, name -> value."""
    facts: dict[str, str | int] = {
        "fastbp": f"{fb.__version__} in {Path(fb.__file__).parent}",
        "python": f"{platform.python_version()}, {platform.platform()}",
    }
    for library in LIBRARIES:
        try:
            facts[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            facts[library] = "not installed"
    chosen = _arguments.choose_backend(args)
    facts["backend"] = f"{chosen.name} ({chosen.detail}), chosen by {_chosen_by(args)}"
    for name, found in backends.status():
        text = (
            f"not available: {found}" if isinstance(found, str) else f"available ({found.detail})"
        )
        facts[f"backend {name}"] = text
    facts["CPU level"] = _cpu_level()
    facts["training path"] = _training_path(chosen)
    if chosen.name == "numba":
        facts["compiled code"] = _compiled_code()
    asked = threads.requested()
    facts["processors"] = threads.available()
    facts["threads"] = "as measured to be fastest" if asked is None else f"{asked}, as asked for"
    facts["data"] = str(Path(fb.datasets.__file__).parent / "mnist")
    return facts


def _chosen_by(args: argparse.Namespace) -> str:
    if args.backend:
        return "--backend"
    return "FASTBP_BACKEND" if os.environ.get("FASTBP_BACKEND") else "default"


def _training_path(chosen: backends.Backend) -> str:
    if chosen.can("user_code"):
        return "fused: whole epochs in machine code, users' own activations and losses included"
    if chosen.can("engine"):
        return (
            "fused: whole epochs in native code, for networks of built-in layers and losses; "
            "layered with a user's own, which the numba backend fuses"
        )
    return f"layered, a kernel call for each layer of each batch: {chosen.name} has no engine"


def _compiled_code() -> str:
    folder, readable = backends.code_folders()
    places = [*(f"{path} (read only)" for path in readable), *([str(folder)] if folder else [])]
    return ", ".join(places) or "compiled in every process: no folder can be written"


def _cpu_level() -> str:
    level = backends.processor_level()
    if level is None:
        return "unknown: the native kernels were not built"
    text = f"this processor runs x86-64-v{level}" if level else "not an x86-64 processor"
    cap = os.environ.get("FASTBP_CPU")
    return f"{text}; FASTBP_CPU caps it at {cap}" if cap else text
