"""Good files of every kind that fastbp reads, small, and always the same: what is then broken."""

import gzip
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import fastbp as fb
from fastbp import models, runs
from fastbp.backends import active
from fastbp.explain.example import WORKED_EXAMPLE

Files = dict[str, bytes]  # name -> content
CANARY = "fastbp_test_canary"  # what a file sets on builtins, if it gets its code executed


class Code:
    """What a pickle executes."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (f"import builtins; builtins.{CANARY} = True",)


def _csv() -> list[Files]:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(12, 4)).round(3)
    rows = [",".join(map(str, [*row, n % 3])) for n, row in enumerate(table)]
    text = "\n".join(["a,b,c,d,label", *rows]) + "\n"
    pixels = "\r\n".join(f"{n % 2},{n},{255 - n},7" for n in range(9))
    quoted = 'label,"a, b",c\n1,"0.5",2\n0,1e-3,-4\n1,7,8\n'
    return [{"data.csv": part.encode()} for part in (text, pixels, quoted)]


def _csv_gz() -> list[Files]:
    return [{"data.csv.gz": gzip.compress(f["data.csv"], mtime=0)} for f in _csv()]


PEOPLE = """\
name,age,city,born,member,income
Ann,20,Rome,2000-01-01,yes,low
Bob,30.5,Oslo,2000-01-03,no,high
"Cid, Jr",,Rome,2000-03-02,yes,low
Dan,4e1,,2000-01-01,?,high
"""


def _table() -> list[Files]:
    points = PEOPLE.replace(", ", " ").replace(",", ";").replace("30.5", "30,5")
    rows = "\n".join(f"{n},{n % 3},k{n % 4},{n / 7:.3f}" for n in range(30))
    codes = f"name,age,city,income\n{rows}"
    texts = {"a.csv": PEOPLE, "b.csv": points, "c.tsv": PEOPLE.replace(",", "\t"), "d.csv": codes}
    packed = {"e.csv.gz": gzip.compress(PEOPLE.encode(), mtime=0)}
    return [*({name: text.encode("cp1252")} for name, text in texts.items()), packed]


def made_of_a_table() -> fb.Sequential:
    """A network with a Table, as a training leaves it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "people.csv")
        path.write_text(PEOPLE)
        data = fb.datasets.table(path, "income", drop="name")
    net = fb.Sequential(fb.Linear(data.features, 4), fb.Tanh(), fb.Linear(4, 2))
    fb.fit(net, data, epochs=1)
    net.meaning = None
    return net


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def _idx() -> list[Files]:
    rng = np.random.default_rng(2)
    files: Files = {}
    for part, count in (("train", 9), ("t10k", 4)):
        images = rng.integers(0, 256, (count, 5, 4), np.uint8)
        files[f"{part}-images-idx3-ubyte"] = idx(images)
        files[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8) % 10)
    packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in files.items()}
    train = {name: data for name, data in files.items() if name.startswith("train")}
    return [files, packed, train]


def npz(arrays: dict[str, np.ndarray], packed: bool = True) -> bytes:
    """An NPZ file; arrays of objects are pickled, as NumPy does it."""
    stream = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(stream, **arrays)
    return stream.getvalue()


def _npz() -> list[Files]:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(8, 6)), np.arange(8) % 3
    pictures = rng.integers(0, 256, (6, 4, 4), np.uint8)
    both = {"x_train": x.astype("f4"), "y_train": y, "x_test": x[:3].astype("f4"), "y_test": y[:3]}
    objects = {"x": np.array([[Code(), 1.0]], object), "y": np.zeros(1, np.int64)}
    arrays = (both, {"x": pictures, "y": y[:6]}, {"x": np.asfortranarray(x), "y": y}, objects)
    return [{"data.npz": npz(a, n % 2 == 0)} for n, a in enumerate(arrays)]


def networks() -> list[fb.Sequential]:
    """Small networks that have every built-in layer but those that other tests name."""
    image = (1, 8, 8)
    convolutions = (fb.Conv2d(1, 2, 3, stride=2, padding=1), fb.ReLU(), fb.MaxPool2d(2, padding=1))
    return [
        fb.Sequential(fb.Linear(6, 5), fb.Tanh(), fb.Linear(5, 3)),
        fb.Sequential(
            *(fb.Linear(4, 4), fb.ELU(0.5), fb.Dropout(0.3), fb.LeakyReLU(), fb.LogSoftmax()),
            dtype="float64",
        ),
        fb.Sequential(fb.Residual(fb.Linear(4, 4), fb.Residual(fb.Tanh())), fb.Linear(4, 3)),
        fb.Sequential(*convolutions, fb.Flatten(), fb.Linear(18, 3), input_shape=image),
        fb.Sequential(fb.AvgPool2d(4, 2, 1), fb.Flatten(), fb.Sigmoid(), input_shape=image),
    ]


def _onnx() -> list[Files]:
    """Models as we write them, and as others do: without what we say of them."""
    import onnx

    with TemporaryDirectory() as folder:
        path, found = Path(folder) / "net.onnx", []
        for net in (*networks(), fb.Ensemble([networks()[0] for _ in range(2)])):
            fb.onnx.save(net, path)
            found.append({path.name: path.read_bytes()})
            if isinstance(net, fb.Sequential):
                model = onnx.load(path)
                del model.metadata_props[:]
                found.append({path.name: model.SerializeToString()})
        return found


def _models() -> list[Files]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        found = []
        several = fb.Ensemble([networks()[1] for _ in range(3)])
        of_a_table = fb.Ensemble([made_of_a_table() for _ in range(2)])
        for net in (*networks(), made_of_a_table(), several, of_a_table):
            net.save(path)
            found.append({path.name: path.read_bytes()})
        return found


SMALL = """
[network]
input_shape = [1, 9, 9]
init = "he"
dtype = "float64"
layers = [
    {type = "Conv2d", out_channels = 2, kernel = [3, 2], stride = 2, padding = 1},
    {type = "ELU", alpha = 0.7},
    {type = "MaxPool2d", kernel = 2, stride = 1, padding = 1},
    {type = "AvgPool2d", kernel = 2},
    {type = "Flatten"},
    {type = "Dropout", p = 0.2},
    {type = "Linear", outputs = 4},
    {type = "Residual", layers = [{type = "Tanh"}, {type = "Linear"}]},
    {type = "Linear"},
]

[training]
loss = "cross-entropy"
optimizer = "adam"
lr = 0.01
beta1 = 0.8
batch_size = 4
epochs = 2
seed = 3
"""


def _model_toml() -> list[Files]:
    found = [path.read_bytes() for path in models.NAMED.values()]
    return [{"model.toml": data} for data in (*found, SMALL.encode(), AROUND.encode())]


CLASSES = """
inputs = [0.1, -0.2]
target = 1
loss = "cross-entropy"
rate = 0.1
layer = [{type = "Linear", w = [[1, 0.5], [-0.25, 2]], b = [0, 1]}, {type = "Tanh"}]
"""


def _explain_toml() -> list[Files]:
    return [{"example.toml": WORKED_EXAMPLE.read_bytes()}, {"example.toml": CLASSES.encode()}]


def _run() -> list[Files]:
    """A finished run of an experiment, with the settings of its folder and of a training."""
    net = fb.Sequential(fb.Linear(4, 3))
    data = fb.datasets.Dataset(np.random.default_rng(4).normal(size=(8, 4)), np.arange(8) % 3)
    history = fb.fit(
        *(net, data),
        loss=fb.HingeLoss(),
        optimizer=fb.SGD(0.1),
        epochs=3,
        validation=data,
    )
    with TemporaryDirectory() as folder:
        run = runs.keep(Path(folder) / "run", net, history).folder
        files = {path.name: path.read_bytes() for path in sorted(run.iterdir())}
    files["config.toml"] = _model_toml()[0]["model.toml"]
    backend = active()
    ours = {"fastbp": fb.__version__, "backend": f"{backend.name} {backend.detail}", "limit": 100}
    return [files | {"settings.json": json.dumps(ours).encode()}]


def _pictures() -> list[Files]:
    from PIL import Image

    rng = np.random.default_rng(5)
    grey = rng.integers(0, 256, (9, 12), np.uint8)
    colours = rng.integers(0, 256, (10, 7, 4), np.uint8)
    images = {
        "L": Image.fromarray(grey),
        "RGB": Image.fromarray(colours[..., :3]),
        "RGBA": Image.fromarray(colours),
        "P": Image.fromarray(colours[..., :3]).quantize(16),
        "1": Image.fromarray(grey).convert("1"),
        "I;16": Image.fromarray(grey.astype(np.uint16) * 200),
        "F": Image.fromarray(grey.astype(np.float32) / 255),
        "I": Image.fromarray(grey.astype(np.int32) * 1000),
        "LA": Image.fromarray(colours).convert("LA"),
    }
    kinds: dict[str, tuple[tuple[str, ...], list[dict[str, object]]]] = {
        "PNG": (("L", "RGB", "RGBA", "P", "1", "I;16", "LA"), [{}]),
        "JPEG": (("L", "RGB"), [{}, {"progressive": True}]),
        "GIF": (("L", "P"), [{}]),
        "BMP": (("L", "RGB", "P", "1"), [{}]),
        "TIFF": (
            ("L", "RGB", "P", "1", "I;16", "F", "I"),
            [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}],
        ),
        "WEBP": (("RGB", "RGBA"), [{}, {"lossless": True}]),
        "PPM": (("L", "RGB", "1"), [{}]),
    }
    found: list[Files] = []
    for kind, (modes, options) in kinds.items():
        for mode in modes:
            for option in options:
                stream = io.BytesIO()
                images[mode].save(stream, kind, **option)
                found.append({f"picture.{kind.lower()}": stream.getvalue()})
    found.append({"picture.ppm": b"P2\n# a comment\n3 2\n255\n0 1 2 3 4 255\n"})
    return found


def trained_on() -> tuple[np.ndarray, np.ndarray]:
    """What the trainings of checkpoints are about."""
    return np.random.default_rng(5).normal(size=(20, 4)), np.arange(20) % 2


def _checkpoints() -> list[Files]:
    found = []
    for optimizer in (fb.Adam(), fb.SGD(0.1)):
        net = fb.Sequential(fb.Linear(4, 3), fb.BatchNorm1d(3), fb.Dropout(0.1), fb.Linear(3, 2))
        stop = fb.EarlyStopping() if optimizer.states else None
        with TemporaryDirectory() as folder:
            path = Path(folder, "run.safetensors")
            fb.fit(
                *(net, *trained_on()),
                optimizer=optimizer,
                epochs=2,
                batch_size=4,
                validation=0.2,
                schedule="plateau",
                early_stopping=stop,
                checkpoint=path,
            )
            found.append({path.name: path.read_bytes()})
    return found


def _logs() -> list[Files]:
    found = []
    for name in ("log.csv", "log.jsonl"):
        with TemporaryDirectory() as folder:
            log = fb.Log(Path(folder, name))
            fb.fit(fb.Sequential(fb.Linear(4, 2)), *trained_on(), epochs=3, callbacks=log)
            found.append({name: log.path.read_bytes()})
    return found


AROUND = """
[network]
layers = [{type = "Linear"}]

[training]
optimizer = "adam"
schedule = "cosine"
warm_up = 0.5
period = 2
validation = 0.2
early_stopping = 3
class_weight = [1, 2, 0.5]
clip_norm = 1.5
l2 = 1e-4
max_seconds = 60
metrics = "running"
"""

MAKERS = {
    "csv": _csv,
    "csv.gz": _csv_gz,
    "table": _table,
    "idx": _idx,
    "npz": _npz,
    "model": _models,
    "onnx": _onnx,
    "checkpoint": _checkpoints,
    "model.toml": _model_toml,
    "explain.toml": _explain_toml,
    "run": _run,
    "log": _logs,
    "picture": _pictures,
}


@cache
def of(kind: str) -> list[Files]:
    """Good files of a kind."""
    return MAKERS[kind]()


def members(data: bytes) -> Files:
    """What is in a zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Files) -> bytes:
    """A zip file, with the right checksums."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def pickled() -> bytes:
    """A pickle that executes code."""
    return pickle.dumps(Code())
