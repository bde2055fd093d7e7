"""The page of a training on a table: it says what the model says, whatever the words in a table."""

import base64
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

import fastbp as fb
from fastbp import run_pictures
from fastbp.tabular import described, pictures, report
from fastbp.tabular.data import Asked, prepare

XHTML = "{http://www.w3.org/1999/xhtml}"
SCRIPT, LONG = "<script>alert('x')</script>", "a name of many words " * 5
VOID = {"meta", "img"}  # which have no end


class Balance(HTMLParser):
    """Finds tags that are not closed in the order in which they were opened."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.open += [tag] if tag not in VOID else []

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def frame(count=240):
    """Numbers with gaps, words, a constant; three kinds, and a price."""
    rng = np.random.default_rng(8)
    found = pd.DataFrame(
        {SCRIPT: rng.normal(size=count), "a & b": rng.choice(["<b>", "日本", "z"], count)}
    )
    found["same"] = 1
    kind = (found[SCRIPT] > 0).astype(int) + (found["a & b"] == "z")
    found["kind"] = np.array([SCRIPT, "B & C", LONG])[kind]
    found["$price$"] = 1000.5 + 300 * found[SCRIPT] + 10 * rng.normal(size=count)
    found.loc[:59, SCRIPT] = np.nan
    return found.sample(frac=1, random_state=1)


def trained(folder, label, drop):
    data = prepare(frame(), Asked(label=label, drop=drop))
    net = fb.Sequential(
        fb.Linear(data.train.features, 8), fb.ReLU(), fb.Linear(8, data.train.targets)
    )
    history = fb.fit(net, data.train, epochs=30, optimizer=fb.Adam(0.02), validation=0.2)
    (folder / "config.toml").write_text('fastbp = "1"\n[training]\nloss = "<mse>"\n')
    facts = {"train accuracy": "all & everything"}
    return report.TableRun(folder, net, data.train, data.test, (history,), 8, 0.2, facts)


def page_of(run):
    """The page, parsed; a browser forgives much, this parser nothing."""
    path = report.write(run)
    assert path == run.folder / "report.html"
    text = path.read_text("utf-8")
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert not balance.seen & {"script", "link", "iframe", "object", "base", "a", "b"}
    return ET.fromstring(text.replace("<!DOCTYPE html>", ""))


def table(page, head):
    """The rows of the table whose first column is called so."""
    for found in page.iter(f"{XHTML}table"):
        rows = [
            ["".join(cell.itertext()).replace("\u00a0", " ") for cell in row]
            for row in found.iter(f"{XHTML}tr")
        ]
        if rows[0][0] == head:
            return rows
    raise LookupError(head)


def headline(page):
    cards = [
        [*card.itertext()]
        for card in page.iter(f"{XHTML}div")
        if card.find(f"{XHTML}dt") is not None
    ]
    return [tuple(text.replace("\u00a0", " ") for text in card) for card in cards]


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory):
    run = trained(tmp_path_factory.mktemp("classes"), "kind", "$price$")
    return run, page_of(run)


@pytest.fixture(scope="module")
def of_values(tmp_path_factory):
    run = trained(tmp_path_factory.mktemp("values"), "$price$", "kind")
    return run, page_of(run)


def test_figures_of_classes_stand_beside_the_baseline(of_classes):
    run, page = of_classes
    names = np.array(run.model.table.label.names)
    y, said = names[run.test.y], names[run.model.predict(run.test)]
    often, count = np.unique(y, return_counts=True)
    most = often[count.argmax()]
    assert headline(page) == [
        (
            "accuracy",
            f"{100 * metrics.accuracy_score(y, said):.1f} %",
            f"always {most}: {100 * count.max() / len(y):.1f} %",
        ),
        (
            "balanced accuracy",
            f"{100 * metrics.balanced_accuracy_score(y, said):.1f} %",
            f"always {most}: 33.3 %",
        ),
    ]
    precision, recall, _, rows = metrics.precision_recall_fscore_support(y, said, labels=names)
    shares = zip(names, rows, precision, recall, strict=True)
    want = [[n, str(k), f"{100 * p:.1f} %", f"{100 * r:.1f} %"] for n, k, p, r in shares]
    assert table(page, "class") == [["class", "rows", "precision", "recall"], *want]


def test_figures_of_values_are_in_their_unit(of_values):
    run, page = of_values
    label = run.model.table.label
    y, said = label.decode(run.test.y), label.decode(run.model.predict(run.test))
    mean = np.full(len(y), label.mean)
    r2, mae = metrics.r2_score(y, said), metrics.mean_absolute_error
    rmse = metrics.root_mean_squared_error
    assert headline(page) == [
        ("R²", f"{r2:.4f}", "always the mean: 0"),
        ("mean absolute error", f"{mae(y, said):.6g}", f"always the mean: {mae(y, mean):.6g}"),
        ("RMSE", f"{rmse(y, said):.6g}", f"always the mean: {rmse(y, mean):.6g}"),
    ]
    assert "class" not in "".join(page.find(f"{XHTML}body").itertext())


def test_columns_say_what_they_were_taken_for(of_classes):
    run, page = of_classes
    head, *rows = table(page, "column")
    assert head == ["column", "taken for", "what is learned", "loss of accuracy if shuffled"]
    words, number, label = (
        run.model.table.columns[1],
        run.model.table.columns[0],
        run.model.table.label,
    )
    missing = run.train.x[:, 1].mean()
    worth = pictures.importances_of(run.model, run.test)
    losses = [
        f"{100 * mean:.1f} ± {100 * std:.1f} %"
        for mean, std in zip(worth.importances_mean, worth.importances_std, strict=True)
    ]
    assert [[" ".join(cell.split()) for cell in row] for row in rows] == [
        [
            SCRIPT,
            "number",
            f"{number.said()}; missing in {100 * missing:.1f} % of the rows",
            losses[0],
        ],
        ["a & b", "category", words.said(), losses[1]],
        ["same", "left out", run.model.table.left_out["same"], ""],
        ["$price$", "left out", "as it was asked for", ""],
        ["kind", "label", " ".join(label.said().split()), ""],
    ]


def test_rare_words_are_counted():
    words = [f"w{k:03}" for k in range(90)] * 2 + [f"rare{k}" for k in range(20)]
    data = fb.datasets.table({"word": words, "label": [0, 1] * 100}, category="word")
    head, rows = described.columns(data.table, data, None)
    assert head == ["column", "taken for", "what is learned", ""]
    assert rows[0][2].endswith("; other, rare words in 5.0\u00a0% of the rows")


def test_what_was_trained_how_and_how_it_is_used(of_classes):
    run, page = of_classes
    text = "".join(page.itertext()).replace("\u00a0", " ")
    rows, kept = len(run.train), round(0.2 * len(run.train))
    assert f"Trained on {rows} rows of table, {kept} of which were kept back to judge" in text
    assert f"{len(run.test)} rows that it was not trained on (table test)" in text
    assert "all & everything" in text
    assert table(page, "training") == [["training", ""], ["loss", "<mse>"]]
    commands, python = (quoted.text for quoted in page.iter(f"{XHTML}pre"))
    model = run.folder / "model.safetensors"
    assert commands.splitlines() == [
        f"python -m fastbp predict {model} --data new.csv --output predictions.csv",
        f"python -m fastbp evaluate {model} --data new.csv",
    ]
    assert f"model = fb.load({str(model)!r})" in python


@pytest.mark.parametrize("kind", ["of_classes", "of_values"])
def test_the_page_has_the_pictures_of_the_folder(kind, request):
    run, page = request.getfixturevalue(kind)
    written = {path.read_bytes() for path in run.folder.glob("*.png")}
    sources = [image.get("src") for image in page.iter(f"{XHTML}img")]
    shown = [base64.b64decode(src.removeprefix("data:image/png;base64,")) for src in sources]
    assert set(shown) == written
    names = {path.stem for path in run.folder.glob("*.png")}
    assert len(shown) == len(names)
    training = {"loss_by_epoch", "loss_by_iteration"}
    assert names - training == (
        {"true_by_predicted", "residuals", "importance"}
        if kind == "of_values"
        else {
            "confusion_matrix",
            "roc_curve",
            "calibration_curve",
            "importance",
            "accuracy_by_epoch",
        }
    )


def test_pictures_show_what_the_model_says(of_classes, of_values):
    run, _ = of_classes
    figures = pictures.of_judging(run.model, run.test)
    matrix = metrics.confusion_matrix(run.test.y, run.model.predict(run.test))
    said = {
        text.get_position(): text.get_text() for text in figures["confusion_matrix"].axes[0].texts
    }
    assert said == {(j, i): str(n) for (i, j), n in np.ndenumerate(matrix) if n}
    right = run.model.predict(run.test) == run.test.y
    bars = [bar.get_height() for bar in figures["calibration_curve"].axes[1].patches]
    surest = run.model.predict_proba(run.test).max(axis=1)
    assert bars == np.histogram(surest, np.linspace(0, 1, 11))[0].tolist()
    assert right.mean() == np.trace(matrix) / len(right)
    run, _ = of_values
    figures = pictures.of_judging(run.model, run.test)
    dots = next(line for line in figures["residuals"].axes[0].lines if len(line.get_xdata()) > 10)
    label = run.model.table.label
    said = label.decode(run.model.predict(run.test))
    np.testing.assert_array_equal(
        dots.get_xydata(), np.column_stack([said, label.decode(run.test.y) - said])
    )


def test_what_cannot_be_drawn_is_left_out(of_classes, of_values):
    run, _ = of_classes
    one = fb.datasets.Dataset(run.test.x[:1], run.test.y[:1], 3, table=run.model.table)
    assert set(pictures.of_judging(run.model, one)) == {"confusion_matrix", "calibration_curve"}
    run, _ = of_values
    one = fb.datasets.Dataset(run.test.x[:1], run.test.y[:1], values=True, table=run.model.table)
    assert pictures.importances_of(run.model, one) is None  # R² of one row is none
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "MOST_COLUMNS", 1)
        assert pictures.importances_of(run.model, run.test) is None


def test_several_networks_have_one_page(of_classes, tmp_path):
    run, _ = of_classes
    other = run.model.copy()
    history = fb.fit(other, run.train, epochs=10, validation=0.2, seed=1)
    both = {"model": fb.Ensemble([run.model, other]), "histories": (*run.histories, history)}
    page = page_of(replace(run, folder=tmp_path, **both))
    assert len(list(page.iter(f"{XHTML}img"))) == 7
    figures = run_pictures.pictures_of_training(both["histories"], 8, "validation")
    ax = figures["loss_by_epoch"].axes[0]
    means = {line.get_label(): line.get_ydata() for line in ax.lines if len(line.get_ydata()) > 1}
    for name, column in (("train", "train_loss"), ("validation", "val_loss")):
        first, second = (np.array(each[column]) for each in both["histories"])
        want = np.append((first[:10] + second) / 2, first[10:])
        np.testing.assert_allclose(means[name], want)
