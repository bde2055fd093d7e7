"""Whether two checkouts compute the same, bit for bit: trainings, scores, optimisers' memories.

    PYTHONPATH=OLD_ROOT python bench/same_results.py write old.json
    PYTHONPATH=NEW_ROOT python bench/same_results.py write new.json
    python bench/same_results.py compare old.json new.json

`write` trains small networks with the fastbp that Python finds, on every backend, on its engine
with one thread and with two, and some layer by layer. A setting's digests go into FILE.json, the
arrays into FILE.npz beside it, so that `compare` can tell how far apart two results are. Only
public names are used: the same script runs on both checkouts.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from _same_settings import SETTINGS, Setting, data

import fastbp as fb

BACKENDS = ("cython", "numba", "numpy")
PREDICTED = 3000  # samples, enough for an engine and both of its threads
Arrays = dict[str, np.ndarray]


def ways(backend: str, setting: Setting) -> Iterator[tuple[str, dict[str, Any]]]:
    """How a setting is trained: names, and arguments of fit."""
    for threads in (1, 2):
        yield f"{threads} threads", {"threads": threads}
    if setting.layered and backend != "numpy":  # which has no other way
        yield "layered", {"threads": 1, "fused": False}


def results(setting: Setting, how: dict[str, Any]) -> tuple[str, Arrays]:
    """Train, predict, and return which path ran, and all that came out."""
    net, loss, optimizer = setting.net(), setting.loss(), setting.optimizer()
    train, threads = data(setting.data, setting.samples), how["threads"]
    history = fb.fit(
        net,
        train,
        loss=loss,
        optimizer=optimizer,
        batch_size=setting.batch,
        epochs=2,
        seed=3,
        **how,
    )
    many = data(setting.data, PREDICTED)
    x = many if isinstance(many, fb.datasets.Dataset) else many[0]
    few = (x.batch(slice(5))[0] if x is many else x[:5]).astype(setting.dtype)
    found = {
        "parameters": net.params,
        "losses": np.concatenate(history.losses),
        "memory": np.concatenate([*optimizer.memory, [optimizer.steps]]),
        "evaluation": np.array(fb.evaluate(net, many, loss, threads)),
        "scores of many": net.scores(x, threads=threads),
    }
    if not how.get("fused", True):
        found["gradients"] = net.grads
    for name, used in (("", net), ("frozen ", net.frozen())):
        for rows in (few[:1], few):
            found[f"{name}scores of {len(rows)}"] = used.scores(rows, threads=threads)
            if not net.meaning.is_values:  # which have none
                found[f"{name}probabilities of {len(rows)}"] = used.predict_proba(rows)
    found["classes"] = net.predict(x)
    return history.path.partition(", ")[2], found


def write(file: Path, backends: Sequence[str], names: Sequence[str]) -> None:
    """Compute everything, and write digests and arrays."""
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {file.parent}")
    settings, arrays = {}, {}
    for backend in backends:
        with fb.use_backend(backend):
            for name in names:
                for way, how in ways(backend, SETTINGS[name]):
                    path, found = results(SETTINGS[name], how)
                    digests = {part: digest(array) for part, array in found.items()}
                    settings[f"{backend}: {name}, {way}"] = {"path": path, "parts": digests}
                    arrays |= {digests[part]: array for part, array in found.items()}
        say(f"{backend}: done", sys.stderr)
    about = {"fastbp": str(Path(fb.__file__).parent), "numpy": np.__version__}
    file.write_text(json.dumps({"about": about, "settings": settings}, indent=1) + "\n")
    np.savez_compressed(file.with_suffix(".npz"), **arrays)
    say(f"{len(settings)} trainings with {about['fastbp']} written to {file}")


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's dtype, shape and bytes."""
    head = f"{array.dtype} {array.shape} ".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()


def compare(first: Path, second: Path) -> bool:
    """Print what is the same and what is not; returns whether all is."""
    (old, old_arrays), (new, new_arrays) = read(first), read(second)
    arrays = old_arrays, new_arrays
    all_same = True
    for backend in sorted({name.partition(":")[0] for name in old | new}):
        names = [name for name in old | new if name.startswith(f"{backend}:")]
        lines = {name: differences(old.get(name), new.get(name), arrays) for name in names}
        different = {name: found for name, found in lines.items() if found}
        say(f"{backend}: {len(names) - len(different)} of {len(names)} trainings the same bits")
        for name, found in different.items():
            say(f"  {name}: {'; '.join(found)}")
        all_same &= not different
    return all_same


def read(file: Path) -> tuple[dict[str, Any], Any]:
    """What `write` wrote: the trainings, and the arrays by their digests."""
    try:
        written = json.loads(file.read_text())
        say(f"{file}: fastbp in {written['about']['fastbp']}, NumPy {written['about']['numpy']}")
        return written["settings"], np.load(file.with_suffix(".npz"))
    except (KeyError, TypeError, ValueError, BadZipFile) as problem:
        raise OSError(f"{file}: expected what `same_results.py write` wrote") from problem


def differences(old: Any, new: Any, arrays: Sequence[Any]) -> list[str]:
    """What of one training differs, and how far."""
    if old is None or new is None:
        return [f"only in the {'second' if old is None else 'first'} file"]
    found = [] if old["path"] == new["path"] else [f"ran {old['path']}, then {new['path']}"]
    for part in old["parts"] | new["parts"]:
        a, b = (side["parts"].get(part) for side in (old, new))
        if a != b:
            same_kind = a and b and arrays[0][a].shape == arrays[1][b].shape
            far = distance(arrays[0][a], arrays[1][b]) if same_kind else "of another shape"
            found.append(f"{part} {far}")
    return found


def distance(a: np.ndarray, b: np.ndarray) -> str:
    """The largest difference, relative to the largest number: of single ones it says nothing."""
    if a.dtype != b.dtype:
        return f"{a.dtype}, then {b.dtype}"
    far = np.abs(a.astype(float) - b).max() / max(np.abs(a).max(), np.finfo(float).tiny)
    return f"{far:.1e}"


def say(text: str, stream: Any = None) -> None:
    print(text, file=stream or sys.stdout)


def json_file(name: str) -> Path:
    """An argument that names FILE.json."""
    if Path(name).suffix != ".json":
        raise argparse.ArgumentTypeError(f"expected a name that ends in .json, got {name!r}")
    return Path(name)


def main(arguments: Sequence[str] | None = None) -> int:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="compute, and write FILE.json and FILE.npz")
    writing.add_argument("file", type=json_file, metavar="FILE.json")
    writing.add_argument("--backend", nargs="+", choices=BACKENDS, default=BACKENDS)
    writing.add_argument(
        "--setting",
        nargs="+",
        choices=SETTINGS,
        default=[*SETTINGS],
        metavar="NAME",
        help="only these (default: all)",
    )
    comparing = commands.add_parser("compare", help="exit code 1 if any bit differs")
    comparing.add_argument("files", type=json_file, nargs=2, metavar="FILE.json")
    args = parser.parse_args(arguments)
    try:
        if args.command == "write":
            write(args.file, args.backend, args.setting)
            return 0
        return 0 if compare(*args.files) else 1
    except (OSError, ImportError) as problem:
        say(f"same_results: {problem}", sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
