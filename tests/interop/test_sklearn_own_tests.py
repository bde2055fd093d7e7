"""scikit-learn's own tests of its perceptrons, as it installs them, run on ours.

The import is all that is changed. Left out are those that look into private members:
``test_gradient`` calls ``_loss_grad_lbfgs``, with the arrays that scikit-learn works in.
"""

from pathlib import Path

import pytest

pytest.importorskip("sklearn", "1.9")

from sklearn.neural_network.tests import test_mlp

PRIVATE = ("test_gradient",)
THEIRS = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = "from fastbp.sklearn import MLPClassifier, MLPRegressor"

source = Path(test_mlp.__file__).read_text()
assert source.count(THEIRS) == 1
exec(compile(source.replace(THEIRS, OURS), test_mlp.__file__, "exec"))
for name in PRIVATE:
    del globals()[name]

# What scikit-learn's tests meet in its own settings of pytest.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def global_random_seed() -> int:
    """scikit-learn's own fixture: one seed for a run."""
    return 42
