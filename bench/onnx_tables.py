"""Models of tables as ONNX: what ONNX Runtime makes of raw columns, as a Markdown table.

    python bench/onnx_tables.py --folder TABLES

The folder is that of bench/tables.py. Each table trains ``fb.train``'s default, which is written by
``fb.onnx.save``; ONNX Runtime and onnx's own evaluator get the test rows' columns as they are.
Differences from fastbp are the largest of any score, and the share of rows predicted as others.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from _onnx_columns import columns_of, texts_of
from onnx.reference import ReferenceEvaluator
from tables import TABLES, split_of

import fastbp as fb

LIMIT = 1e-5  # of a difference of scores


def compared(model: Any, frame: pd.DataFrame) -> tuple[float, float, float]:
    """Differences of both evaluators' scores, and the share of ONNX Runtime's predictions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        fb.onnx.save(model, path)
        onnx.checker.check_model(path, full_check=True)
        session, evaluator = onnxruntime.InferenceSession(path), ReferenceEvaluator(onnx.load(path))
    inputs = columns_of(session, frame)
    names = [each.name for each in session.get_outputs()]
    found = dict(zip(names, session.run(None, inputs), strict=True))
    (checked,) = evaluator.run(["scores"], texts_of(inputs))
    wanted, predicted = model.scores(frame), model.predict(frame)
    if "value" in found:
        differs = ~np.isclose(found["value"], predicted, rtol=LIMIT, atol=0)
    else:
        differs = found["label"] != predicted
    differences = (float(np.abs(scores - wanted).max()) for scores in (found["scores"], checked))
    return (*differences, float(differs.mean()))  # type: ignore[return-value]


def main() -> int:
    """Print a row for each table; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--ensemble", type=int, metavar="N", help="default: the table's own")
    parser.add_argument("--epochs", type=int, metavar="N", help="default: the table's own")
    args = parser.parse_args()
    sys.stdout.write("| table | ONNX Runtime | onnx's evaluator | other predictions |\n")
    sys.stdout.write("|---|---|---|---|\n")
    odd = False
    for name, (file, label) in TABLES.items():
        split = split_of(args.folder / file, label)
        options = {"values": split.values, "ensemble": args.ensemble, "epochs": args.epochs}
        model = fb.train(split.train, label, **options).model
        runtime, evaluator, differs = compared(model, split.test.drop(columns=label))
        odd |= max(runtime, evaluator) > LIMIT or differs > 0
        sys.stdout.write(f"| {name} | {runtime:.1e} | {evaluator:.1e} | {differs:.2%} |\n")
        sys.stdout.flush()
    return int(odd)


if __name__ == "__main__":
    sys.exit(main())
