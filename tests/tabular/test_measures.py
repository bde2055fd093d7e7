"""How good models of tables are said to be."""

import numpy as np
import pytest
from sklearn import metrics

from fastbp.tabular.measures import area, of_classes


def test_measures_are_scikit_learns():
    rng = np.random.default_rng(2)
    yes, score = rng.random(99) < 0.3, rng.integers(0, 9, 99) / 9
    assert area(yes, score) == pytest.approx(metrics.roc_auc_score(yes, score))
    assert np.isnan(area(np.ones(3, bool), np.ones(3)))
    y, said = rng.integers(0, 4, 99), rng.integers(0, 4, 99)
    found = of_classes(y, said, 5)
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, said))
    assert np.isnan(found["classes"][4]["recall"])
