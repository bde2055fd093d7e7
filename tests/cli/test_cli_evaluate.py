"""``evaluate``: its table and its JSON are true, and a model that does not fit is refused."""

import numpy as np
import pytest
from command_line import assert_error, run

import fastbp as fb


@pytest.fixture(scope="module")
def found(trained):
    result = run("evaluate", trained.model, "--json", cwd=trained.folder)
    assert (result.code, result.err) == (0, "")
    return result.json


def test_json_has_the_accuracy_of_the_training(found, trained):
    assert found["accuracy"] == trained.result.json["test_accuracy"]
    assert found["samples"] == 10000
    assert found["errors"] == round((1 - found["accuracy"]) * 10000)
    assert found["model"] == str(trained.model)
    assert found["data"] == "MNIST test"


def test_confusion_matrix_counts_true_by_row_and_predicted_by_column(found, trained):
    _, test = fb.datasets.mnist()
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (test.y, fb.load(trained.model).predict(test)), 1)
    assert found["confusion"] == expected.tolist()


def test_table_says_what_the_json_says(found, trained):
    """Also in a narrow terminal, whose width must not cut the path."""
    result = run("evaluate", trained.model, cwd=trained.folder, env={"COLUMNS": "45"})
    assert (result.code, result.err) == (0, "")
    title, *lines = result.out.splitlines()
    assert title == f"{trained.model} on MNIST test"
    rows = {line.split()[0]: line.split()[1:] for line in lines if "%" in line}
    matrix = np.array(found["confusion"])
    for label in range(10):
        samples, right = matrix[label].sum(), matrix[label, label]
        percent = f"{100 * right / samples:.2f}"
        assert rows[str(label)] == [f"{samples:,}", f"{samples - right:,}", percent, "%"]
    percent = f"{100 * found['accuracy']:.2f}"
    assert rows["all"] == ["10,000", f"{found['errors']:,}", percent, "%"]
    assert len(rows) == 11


def test_split_chooses_the_data(trained):
    result = run("evaluate", trained.model, "--split", "train", "--json", cwd=trained.folder)
    train, _ = fb.datasets.mnist()
    assert result.json["samples"] == 60000
    assert result.json["data"] == "MNIST train"
    assert result.json["accuracy"] == fb.evaluate(fb.load(trained.model), train).accuracy


def test_data_may_lack_classes_that_the_model_knows(trained, tmp_path):
    _, test = fb.datasets.mnist()
    rows = test.y < 3
    np.savez(
        tmp_path / "few.npz",
        x_train=test.x[rows],
        y_train=test.y[rows],
        x_test=test.x[rows],
        y_test=test.y[rows],
    )
    data = ("--data", tmp_path / "few.npz")
    found = run("evaluate", trained.model, *data, "--json", cwd=tmp_path).json
    assert np.shape(found["confusion"]) == (10, 10)
    assert np.sum(found["confusion"][:3]) == found["samples"] == rows.sum()
    table = run("evaluate", trained.model, *data, cwd=tmp_path).out
    assert [line.split() for line in table.splitlines()][-3] == ["9", "0", "0", "-"]


def test_a_model_of_fewer_classes_is_refused(trained, tmp_path):
    data = tmp_path / "twelve.npz"
    np.savez(data, x=np.zeros((24, 784), np.uint8), y=np.arange(24) % 12)
    result = run("evaluate", trained.model, "--data", data, cwd=tmp_path)
    assert_error(result, str(trained.model), "10 classes", "12")


@pytest.mark.parametrize("command", [("evaluate",), ("predict", "--index", 0)])
def test_data_with_other_features_is_refused(trained, table, command):
    name, *rest = command
    result = run(name, trained.model, *rest, "--data", table, "--label", "kind", cwd=trained.folder)
    assert_error(result, str(trained.model), "784 features", "flowers.csv has 5")


def write_wrong_models(folder, model):
    from safetensors.numpy import save_file

    whole = model.read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:-1])
    (folder / "table.csv").write_text("1,2,3\n")
    (folder / "empty.safetensors").write_bytes(b"")
    save_file({"w": np.zeros(3)}, folder / "foreign.safetensors")
    (folder / "folder").mkdir()


WRONG_MODELS = {
    "cut.safetensors": "not a whole safetensors file",
    "table.csv": "not a whole safetensors file",
    "empty.safetensors": "not a whole safetensors file",
    "foreign.safetensors": "no fastbp network",
    "folder": "a folder without a model.safetensors",
    "missing.safetensors": "No such file or directory",
}


@pytest.fixture(scope="module")
def refused(trained, tmp_path_factory):
    """An evaluation of each of them: file and result."""
    folder = tmp_path_factory.mktemp("wrong")
    write_wrong_models(folder, trained.model)
    paths = [folder / name for name in WRONG_MODELS]
    results = [run("evaluate", path, "--json", cwd=folder) for path in paths]
    return dict(zip(WRONG_MODELS, zip(paths, results, strict=True), strict=True))


@pytest.mark.parametrize("name", WRONG_MODELS)
def test_wrong_model_file_is_named_with_the_reason(refused, name):
    path, result = refused[name]
    assert_error(result, f"fastbp: error: {path}: ", WRONG_MODELS[name])


def test_samples_whose_scores_are_no_numbers_are_errors(trained, tmp_path):
    """Not of class 0, although argmax says so."""
    net = fb.load(trained.model)
    net.layers[0].w[10 * 28 + 14, 0] = np.nan  # only 0 · NaN and x · NaN: every sample
    net.save(tmp_path / "nan.safetensors")
    result = run("evaluate", "nan.safetensors", "--json", cwd=tmp_path)
    first, second = result.err.splitlines()
    assert first == (
        f"fastbp: warning: nan.safetensors: 1 of {net.params.size:,} parameters are NaN or infinite"
    )
    assert second == (
        "fastbp: warning: 10,000 of 10,000 samples have scores that are no numbers; "
        "they count as errors"
    )
    assert result.code == 0
    assert (result.json["accuracy"], result.json["errors"]) == (0, 10000)
    assert np.sum(result.json["confusion"]) == 0
    table = run("evaluate", "nan.safetensors", cwd=tmp_path).out
    assert "980" in table
    assert "0.00 %" in table


def test_a_runs_folder_stands_for_its_model(trained, found):
    result = run("evaluate", trained.model.parent, "--json", cwd=trained.folder)
    assert result.json["accuracy"] == found["accuracy"]


def test_evaluations_are_drawn(trained, tmp_path):
    path = tmp_path / "evaluation.png"
    drawn = run("evaluate", trained.model, "--plot", path, "--json", cwd=tmp_path)
    assert (drawn.code, drawn.json["plot"]) == (0, str(path))
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    wrong = run("evaluate", trained.model, "--plot", "a.jpg", cwd=tmp_path)
    assert_error(wrong, "expected a name that ends in .png, got 'a.jpg'")
