"""Picture files: what their greys become, how they are fitted, and which are refused."""

import io
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastbp as fb
from fastbp import pictures

GREYS = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def read(path: Path, side: int = 28, **arguments: object) -> np.ndarray:
    """Read a picture to which nothing worth a note happens."""
    picture, note = pictures.read(path, side, side, **arguments)
    assert note == ""
    assert (picture.shape, picture.dtype) == ((side, side), np.uint8)
    return picture


def saved(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def refuses(path: Path, reason: str) -> None:
    """Assert a one-line message with the path and the reason."""
    expected = f"^{re.escape(str(path))}: not a readable picture \\(.*{reason}.*\\)$"
    with pytest.raises(ValueError, match=expected) as caught:
        pictures.read(path, 28, 28)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 180


# Formats


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.tiff", "a.webp", "a.pgm"])
def test_common_formats_of_the_networks_size_are_taken_as_they_are(tmp_path, name):
    Image.fromarray(GREYS).save(tmp_path / name, **({"lossless": True} if "webp" in name else {}))
    assert np.abs(read(tmp_path / name).astype(int) - GREYS).max() <= ("webp" in name)
    assert (read(tmp_path / name, invert=True) == 255 - read(tmp_path / name)).all()


def test_jpeg_is_read(tmp_path):
    path = saved(tmp_path / "a.jpg", np.full((28, 28), 100, np.uint8))
    assert (read(path) == 100).all()


@pytest.mark.parametrize("name", ["a.eps", "a.ico", "a.tga", "a.dds", "a.pcx", "a.sgi"])
def test_rare_formats_are_not_opened(tmp_path, name):
    Image.fromarray(GREYS).convert("RGB").save(tmp_path / name)
    refuses(tmp_path / name, "its format is unknown; PNG, JPEG, GIF, BMP, TIFF, WEBP, PPM are read")


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (SyntaxError("broken PNG file"), "broken PNG file"),
        (RuntimeError("no decoder"), "no decoder"),
        (NotImplementedError("pixel format"), "pixel format"),
        (EOFError(), "EOFError"),
        (struct.error("unpack requires\na buffer"), "unpack requires a buffer"),
        (zlib.error("Error -3"), "Error -3"),
        (Image.DecompressionBombError("too many"), "too many"),
        (MemoryError(), "out of memory"),
        (OSError("image file is truncated"), "image file is truncated"),
        (KeyError(7), "7"),
        (ValueError("x" * 500), "x{120}…"),
    ],
)
@pytest.mark.parametrize("step", ["open", "load"])
def test_whatever_the_library_raises_is_one_error(tmp_path, monkeypatch, problem, reason, step):
    def fail(*_, **__):
        raise problem

    path = saved(tmp_path / "a.png", GREYS)
    if step == "open":
        monkeypatch.setattr(Image, "open", fail)
    else:
        monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    refuses(path, reason)


def test_a_damaged_chunk_is_no_traceback(tmp_path):
    path = saved(tmp_path / "a.png", GREYS)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") : data.index(b"IDAT") + 4] = b"\0\0\0\0"
    path.write_bytes(data)
    refuses(path, "")


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: is a pipe; expected a file$"):
        pictures.read(tmp_path / "a.png", 28, 28)


# Size


def png_header(path: Path, width: int, height: int, bits: int, colours: int) -> Path:
    """Write a PNG file that promises so much and holds nothing."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for chunk in (head, b"IDAT" + zlib.compress(b"")):
        data += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("width", "height", "bits", "colours"),
    [
        (13000, 13000, 8, 4),  # grey and transparency
        (13000, 13000, 1, 0),
        (1, 100_000_000, 8, 0),
        (1, 50_000_000, 8, 0),  # each row takes a pointer
        (10_000, 5_001, 8, 2),
    ],
)
def test_a_picture_is_refused_by_its_header(tmp_path, width, height, bits, colours):
    path = png_header(tmp_path / "a.png", width, height, bits, colours)
    refuses(path, f"{width}×{height} pixels in mode .* take too much memory; make it smaller")


@pytest.mark.parametrize("mode", ["P", "LA"])
def test_a_picture_as_large_as_it_may_be_takes_no_more_than_it_has(tmp_path, mode):
    picture = Image.new(mode, (7000, 7000), 1 if mode == "P" else (255, 128))
    if mode == "P":
        picture.putpalette([0, 0, 0, 255, 255, 255])
        picture.save(tmp_path / "a.png", transparency=bytes([255, 128]))
    else:
        picture.save(tmp_path / "a.png")
    script = (
        "import resource, sys, PIL.Image\n"
        "from fastbp import pictures\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "picture, note = pictures.read(sys.argv[1], 28, 28)\n"
        "print(peak() - before, picture.min(), picture.max(), note)"
    )
    # a small process between: a new one's peak starts with that of the one that made it
    shell = ["sh", "-c", '"$0" -c "$1" "$2"; exit $?', sys.executable, script, "a.png"]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True)
    megabytes, low, high, *note = done.stdout.split()
    assert int(megabytes) < 300
    assert low == high == "128"  # white, half transparent, on black
    assert " ".join(note) == "resized from 7000×7000 to 28×28 pixels"


@pytest.mark.parametrize("progressive", [False, True])
def test_large_jpegs_are_reduced_while_they_are_decoded(tmp_path, progressive):
    picture = np.full((4000, 5000, 3), (255, 0, 0), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.jpg", progressive=progressive)
    found, note = pictures.read(tmp_path / "a.jpg", 4, 5)
    assert np.abs(found.astype(int) - 76).max() <= 1
    assert note == "resized from 5000×4000 to 5×4 pixels"


def test_tiles_of_a_large_picture_fit_together(tmp_path):
    rows, columns = np.mgrid[:4100, :2500]
    path = saved(tmp_path / "a.png", ((rows + columns) // 32).astype(np.uint8))
    found, _ = pictures.read(path, 41, 25)  # the means of 100 × 100 pixels
    rows, columns = np.mgrid[:41, :25]
    assert np.abs(found - ((rows + columns) * 100 + 99) / 32).max() < 3


# Greys


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (GREYS.astype(np.uint16) * 257, "a.png"),
        (GREYS.astype(np.uint16) * 257, "a.tiff"),
        (GREYS.astype(np.int32), "a.tiff"),
        (GREYS.astype(np.float32), "a.tiff"),
        (GREYS.astype(np.float32) / 255, "a.tiff"),
    ],
)
def test_greys_of_more_bits_mean_the_same(tmp_path, values, name):
    assert (read(saved(tmp_path / name, values)) == GREYS).all()
    assert (read(tmp_path / name, invert=True) == 255 - GREYS).all()


def test_sixteen_bits_of_a_pgm_file(tmp_path):
    data = b"P5 28 28 65535\n" + (GREYS.astype(">u2") * 257).tobytes()
    (tmp_path / "a.pgm").write_bytes(data)
    assert (read(tmp_path / "a.pgm") == GREYS).all()


def test_sixteen_bits_are_scaled_by_their_range_and_not_by_the_pictures(tmp_path):
    path = saved(tmp_path / "a.png", np.full((28, 28), 1000, np.uint16))
    assert (read(path) == 4).all()  # 1000 / 257 = 3.89


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (GREYS.astype(np.int32) * 1000 - 5, -5, 254_995),
        (GREYS.astype(np.float32) - 128, -128, 127),
        (GREYS.astype(np.float32) * 2, 0, 510),
    ],
)
def test_other_ranges_are_scaled_by_themselves_with_a_note(tmp_path, values, low, high):
    assert (GREYS.min(), GREYS.max()) == (0, 255)
    found, note = pictures.read(saved(tmp_path / "a.tiff", values), 28, 28)
    assert (found == GREYS).all()
    assert note == f"grey values from {low:g} to {high:g} scaled to 0 to 255"


@pytest.mark.parametrize(("value", "dtype"), [(7000, np.int32), (-3, np.float32)])
def test_a_picture_of_one_value_beyond_the_greys_is_black(tmp_path, value, dtype):
    path = saved(tmp_path / "a.tiff", np.full((28, 28), value, dtype))
    assert (pictures.read(path, 28, 28)[0] == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (9, 9)])
def test_values_that_are_not_finite_are_refused(tmp_path, value, at):
    values = GREYS.astype(np.float32)
    values[at] = value
    refuses(saved(tmp_path / "a.tiff", values), "its values are not finite")


def test_transparent_parts_are_background(tmp_path):
    strokes = np.zeros((28, 28, 4), np.uint8)
    strokes[:, :, 3] = GREYS  # black ink
    assert (read(saved(tmp_path / "a.png", strokes)) == 0).all()
    assert (read(tmp_path / "a.png", invert=True) == GREYS).all()


# Fitting


def box(picture: np.ndarray, level: int = 128) -> tuple[int, int, int, int]:
    """First and last row, first and last column that are brighter."""
    rows, columns = ((picture > level).any(axis=axis).nonzero()[0] for axis in (1, 0))
    return rows[0], rows[-1], columns[0], columns[-1]


@pytest.mark.parametrize("background", [0, 40])
@pytest.mark.parametrize(("top", "left"), [(1, 1), (1, 160), (40, 100), (0, 3)])
def test_a_figure_on_a_wide_canvas_is_20_pixels_long_and_centred(background, top, left):
    canvas = np.full((104, 200), background, np.uint8)
    canvas[top : top + 60, left : left + 30] = 255
    picture, note = pictures.fit(canvas, 28, 28)
    assert note == ", its figure centred and its proportions kept"
    assert box(picture) == (5, 24, 10, 19)  # 20 × 10 pixels; the centre of mass is at 14, 14
    assert (picture[5:25, 10:20] == 255).all()
    assert picture.sum() == 200 * 255  # the background is black


def test_the_centre_is_that_of_the_mass():
    canvas = np.zeros((100, 200), np.uint8)
    canvas[10:90, 50:60] = 255  # an L: 80 × 10 and 10 × 40, its mass to the left and below
    canvas[80:90, 60:100] = 255
    picture, _ = pictures.fit(canvas, 28, 28)
    mass = picture / picture.sum()
    assert abs((mass.sum(axis=1) @ np.arange(28)) - 14) <= 0.5
    assert abs((mass.sum(axis=0) @ np.arange(28)) - 14) <= 0.5
    first, last, left, right = box(picture, 60)
    assert (last - first + 1, right - left + 1) == (20, 12 + (right - left == 12))


@pytest.mark.parametrize(("rows", "columns"), [(14, 14), (28, 14), (20, 60), (56, 56)])
def test_other_networks_get_20_of_28_parts(rows, columns):
    canvas = np.zeros((90, 100), np.uint8)
    canvas[10:80, 20:55] = 255  # 70 × 35
    first, last, left, right = box(pictures.fit(canvas, rows, columns)[0], 60)
    high = min(rows, 2 * columns) * 20 / 28
    assert last - first + 1 == pytest.approx(high, abs=1)
    assert right - left + 1 == pytest.approx(high / 2, abs=1)


def test_a_square_picture_with_a_margin_is_centred_for_networks_of_mnists_size():
    canvas = np.zeros((200, 200), np.uint8)
    canvas[10:70, 110:140] = 255
    picture, note = pictures.fit(canvas, 28, 28)
    assert note == ", its figure centred and its proportions kept"
    assert box(picture) == (5, 24, 10, 19)
    picture, note = pictures.fit(canvas, 20, 20)  # other samples have whatever place they have
    assert note == ""
    assert box(picture) == (1, 6, 11, 13)


def test_a_square_picture_that_fills_its_frame_is_only_resized():
    canvas = np.zeros((112, 112), np.uint8)
    canvas[:, 20:60] = 255
    picture, note = pictures.fit(canvas, 28, 28)
    assert note == ""
    assert box(picture) == (0, 27, 5, 14)


def test_a_wide_picture_that_is_all_figure_is_padded():
    wide = np.random.default_rng(0).integers(60, 200, (50, 100), dtype=np.uint8)
    wide[:, [0, -1]] = wide[[0, -1]] = 200
    wide[5, 5] = 90
    picture, note = pictures.fit(wide, 28, 28)
    assert note == ", its proportions kept"
    assert (picture[:7] == 200).all()  # the border's grey
    assert (picture[21:] == 200).all()
    assert picture[7:21].std() > 5


@pytest.mark.parametrize("level", [0, 7, 255])
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 500), (90, 60), (60, 60)])
def test_a_picture_without_a_figure_stays_plain(level, shape):
    picture, _ = pictures.fit(np.full(shape, level, np.uint8), 28, 28)
    assert (picture == level).all()


def test_a_line_too_thin_to_be_seen_breaks_nothing():
    canvas = np.zeros((2000, 1000), np.uint8)
    canvas[np.arange(100, 900), np.arange(100, 900)] = 17
    assert pictures.fit(canvas, 28, 28)[0].max() <= 255


@pytest.fixture(scope="module")
def net():
    train, _ = fb.datasets.mnist()
    net = fb.Sequential(fb.Linear(784, 32), fb.ReLU(), fb.Linear(32, 10))
    fb.fit(net, train.first(20_000), loss=fb.CrossEntropyLoss(), optimizer=fb.Adam(2e-3), epochs=3)
    return net


def drawn(digit: np.ndarray, rng: np.random.Generator, square: bool) -> np.ndarray:
    """A digit as a pen draws it, somewhere on a canvas."""
    rows, columns = (digit.any(axis=axis).nonzero()[0] for axis in (1, 0))
    digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = rng.integers(3, 9)
    size = digit.shape[1] * scale, digit.shape[0] * scale
    digit = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC))
    height = digit.shape[0] + rng.integers(2, 200)
    width = digit.shape[1] + rng.integers(2, 300)
    if square:
        height = width = max(height, width)
    canvas = np.zeros((height, width), np.uint8)
    top, left = (rng.integers(1, canvas.shape[i] - digit.shape[i]) for i in (0, 1))
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = 255 * (digit > 110)
    return canvas


def test_mnists_digits_are_recognised_however_they_are_framed(net):
    rng = np.random.default_rng(1)
    test = fb.datasets.mnist()[1].first(1000)
    digits = test.images(slice(None))
    framings = {
        "four times as large": lambda d: np.asarray(
            Image.fromarray(d).resize((112, 112), Image.Resampling.BICUBIC)
        ),
        "somewhere on a square": lambda d: drawn(d, rng, square=True),
        "somewhere on a rectangle": lambda d: drawn(d, rng, square=False),
    }
    as_they_are = (net.predict(digits.reshape(-1, 784) / 255) == test.y).mean()
    assert as_they_are > 0.9
    for name, frame in framings.items():
        x = np.array([pictures.fit(frame(digit), 28, 28)[0] for digit in digits])
        accuracy = (net.predict(x.reshape(-1, 784) / 255) == test.y).mean()
        assert accuracy > as_they_are - 0.015, name


def test_the_note_has_everything_in_one_line(tmp_path):
    canvas = np.zeros((100, 200), np.float32)
    canvas[20:80, 20:50] = 1000
    data = io.BytesIO()
    Image.fromarray(canvas).save(data, "TIFF")
    (tmp_path / "a").write_bytes(data.getvalue())  # the name's end says nothing
    picture, note = pictures.read(tmp_path / "a", 28, 28)
    assert note == (
        "grey values from 0 to 1000 scaled to 0 to 255; resized from 200×100 to 28×28 pixels, "
        "its figure centred and its proportions kept"
    )
    assert box(picture) == (5, 24, 10, 19)
