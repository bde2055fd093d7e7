"""``predict``: probabilities for samples of the data and for picture files."""

import numpy as np
import pytest
from command_line import assert_error, assert_one_line, is_whole_png, names, run
from PIL import Image

import fastbp as fb

INDEX = 0  # of a test sample, a seven, that the trained model recognises


@pytest.fixture(scope="module")
def test_data():
    return fb.datasets.mnist()[1]


@pytest.fixture(scope="module")
def digit(test_data):
    """The sample as pixels, white on black."""
    return test_data.images([INDEX])[0]


@pytest.fixture(scope="module")
def found(trained):
    result = run("predict", trained.model, "--index", INDEX, "--json", cwd=trained.folder)
    assert (result.code, result.err) == (0, "")
    return result.json


def predict_picture(trained, folder, picture, *options):
    """What is found in a picture, and what is said on stderr."""
    path = folder / "digit.png"
    picture.save(path)
    result = run("predict", trained.model, path, "--json", *options, cwd=folder)
    assert result.code == 0, result.err
    return result.json, result.err


def assert_same(found, expected, tolerance=1e-6):
    np.testing.assert_allclose(
        found["probabilities"], expected["probabilities"], rtol=0, atol=tolerance
    )


def test_json_has_probabilities_of_all_classes(found, trained, test_data):
    expected = fb.load(trained.model).predict_proba(test_data.first(INDEX + 1))[INDEX]
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-5)
    assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert found["prediction"] == int(np.argmax(expected)) == found["label"] == 7
    assert found["plot"] is None


def test_table_is_ordered_by_probability(found, trained):
    result = run("predict", trained.model, "--index", INDEX, cwd=trained.folder)
    title, *lines = result.out.splitlines()
    assert title == f"sample {INDEX}, labelled 7: 7"
    rows = [line.split()[:2] for line in lines if "%" in line]
    probabilities = found["probabilities"]
    order = sorted(range(10), key=lambda c: -probabilities[c])
    assert rows == [[str(c), f"{100 * probabilities[c]:.2f}"] for c in order]


def test_split_chooses_the_data(trained):
    options = ("--index", 59999, "--split", "train", "--json")
    train, _ = fb.datasets.mnist()
    assert run("predict", trained.model, *options, cwd=trained.folder).json["label"] == train.y[-1]


def test_sample_of_a_table_is_predicted(table, table_model):
    data = ("--data", table)
    found = run("predict", table_model, "--index", 3, *data, "--json", cwd=table.parent).json
    assert len(found["probabilities"]) == 3
    assert found["prediction"] == found["label"]


def test_sample_of_a_table_is_drawn_without_a_picture(table, table_model, tmp_path):
    data = ("--data", table, "--label", "kind")
    result = run("predict", table_model, "--index", 3, *data, "--plot", cwd=tmp_path)
    assert result.code == 0, result.err
    assert is_whole_png(tmp_path / "prediction.png")


def test_grey_picture_is_predicted_like_the_sample(trained, tmp_path, digit, found):
    prediction, said = predict_picture(trained, tmp_path, Image.fromarray(digit))
    assert said == ""
    assert_same(prediction, found)
    assert prediction["label"] is None


def test_black_on_white_is_inverted(trained, tmp_path, digit, found):
    prediction, _ = predict_picture(trained, tmp_path, Image.fromarray(255 - digit), "--invert")
    assert_same(prediction, found)


def test_coloured_larger_picture_is_resized_with_a_note(trained, tmp_path, digit, found):
    picture = Image.fromarray(digit).convert("RGB").resize((84, 56), Image.Resampling.BICUBIC)
    prediction, said = predict_picture(trained, tmp_path, picture)
    assert_one_line(said, str(tmp_path / "digit.png"), "84×56", "28×28")
    assert prediction["prediction"] == found["prediction"]
    assert_same(prediction, found, tolerance=0.2)


def test_sixteen_bits_of_grey_are_scaled(trained, tmp_path, digit, found):
    prediction, _ = predict_picture(
        trained, tmp_path, Image.fromarray(digit.astype(np.uint16) * 257)
    )
    assert_same(prediction, found)


@pytest.mark.parametrize(("ink", "options"), [(255, ()), (0, ("--invert",))])
def test_transparent_parts_are_background(trained, tmp_path, digit, found, ink, options):
    """Of the colour that the strokes do not have: black, or white with --invert."""
    strokes = np.full((28, 28, 4), ink, np.uint8)
    strokes[:, :, 3] = digit
    prediction, _ = predict_picture(trained, tmp_path, Image.fromarray(strokes), *options)
    assert_same(prediction, found, tolerance=1e-3)


def test_plot_goes_to_the_default_or_the_named_file(trained, tmp_path):
    default = run("predict", trained.model, "--index", INDEX, "--plot", cwd=tmp_path)
    assert default.out.splitlines()[-1] == "drawn in prediction.png"
    named = run(
        "predict", trained.model, "--index", INDEX, "--plot", "seven.png", "--json", cwd=tmp_path
    )
    assert named.json["plot"] == "seven.png"
    assert names(tmp_path) == {"prediction.png", "seven.png"}
    assert is_whole_png(tmp_path / "prediction.png")
    assert is_whole_png(tmp_path / "seven.png")


def test_plot_that_cannot_be_written_is_named(trained, tmp_path):
    for plot, reason in (("no/seven.png", "no/"), ("seven.txt", ".png")):
        result = run(
            "predict", trained.model, "--index", INDEX, "--plot", plot, "--json", cwd=tmp_path
        )
        assert_error(result, reason)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("subject", [(), ("digit.png", "--index", 3)])
def test_neither_or_both_of_picture_and_index_is_wrong_usage(tmp_path, subject):
    result = run("predict", "model.safetensors", *subject, cwd=tmp_path)
    assert_error(result, "IMAGE", "--index", code=2)


@pytest.mark.parametrize("split", ["test", "train"])
def test_index_beyond_the_data_is_refused(trained, tmp_path, split):
    size = {"test": 10000, "train": 60000}[split]
    result = run(
        "predict", trained.model, "--index", size, "--split", split, "--json", cwd=tmp_path
    )
    assert_error(result, f"--index {size}", f"MNIST {split}", f"0 to {size - 1}")


def write_bad_pictures(folder):
    (folder / "words.png").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "folder.png").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (99, 99)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "cut.png")
    data = (folder / "cut.png").read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])


BAD_PICTURES = {
    "words.png": "not a readable picture",
    "empty.png": "not a readable picture",
    "cut.png": "truncated",
    "folder.png": "Is a directory",
    "missing.png": "No such file or directory",
}


@pytest.fixture(scope="module")
def refused(trained, tmp_path_factory):
    """A prediction of each of them: file and result."""
    folder = tmp_path_factory.mktemp("bad")
    write_bad_pictures(folder)
    paths = [folder / name for name in BAD_PICTURES]
    results = [run("predict", trained.model, path, "--json", cwd=folder) for path in paths]
    return dict(zip(BAD_PICTURES, zip(paths, results, strict=True), strict=True))


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_bad_picture_is_named_with_the_reason(refused, name):
    path, result = refused[name]
    assert_error(result, f"fastbp: error: {path}: ", BAD_PICTURES[name])
    assert "<" not in result.err  # as in the name of a Python object


def test_picture_for_a_model_of_tables_is_refused(table_model, tmp_path, digit):
    Image.fromarray(digit).save(tmp_path / "digit.png")
    result = run("predict", table_model, "digit.png", cwd=tmp_path)
    assert_error(result, str(table_model), "learned from a table", "--data")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_model_whose_parameters_are_no_numbers(trained, tmp_path, number):
    """It is said when it is loaded, and no class is predicted; JSON has null where NaN would be."""
    net = fb.load(trained.model)
    net.params[...] = number
    net.save(tmp_path / "nan.safetensors")
    options = ("predict", "nan.safetensors", "--index", INDEX, "--plot", "p.png")
    size = f"{net.params.size:,}"
    lines = (
        f"fastbp: warning: nan.safetensors: {size} of {size} parameters are NaN or infinite\n"
        "fastbp: warning: the probabilities are no numbers: nothing is predicted, "
        "and nothing drawn\n"
    )
    result = run(*options, "--json", cwd=tmp_path)
    assert (result.code, result.err) == (0, lines)
    assert result.json["prediction"] is None
    assert result.json["probabilities"] == [None] * 10
    assert result.json["plot"] is None
    assert not (tmp_path / "p.png").exists()
    result = run(*options, cwd=tmp_path)
    assert (result.code, result.err) == (0, lines)
    assert result.out.startswith(f"sample {INDEX}, labelled 7: no class\n")


def test_a_sample_of_a_class_that_the_model_has_not_is_refused(tmp_path):
    fb.Sequential(fb.Linear(784, 5)).save(tmp_path / "five.safetensors")
    result = run("predict", "five.safetensors", "--index", 0, cwd=tmp_path)
    assert_error(result, "five.safetensors: knows 5 classes, but the sample is of class 7")
