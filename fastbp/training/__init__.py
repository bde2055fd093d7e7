"""Training: data made fit, the loop, what watches it, how it went, and how good the result is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastbp._above import Above
from fastbp._late import late, within

from .callbacks import Callback as Callback
from .checkpoint import Checkpoint as Checkpoint
from .evaluated import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .fitting import fit as fit
from .history import DivergenceError as DivergenceError
from .history import Epoch as Epoch
from .history import History as History
from .samples import Data as Data
from .stopping import EarlyStopping as EarlyStopping

if TYPE_CHECKING:
    from .gradient import loss_and_gradient as loss_and_gradient
    from .logs import Log as Log
    from .logs import TensorBoard as TensorBoard
    from .minimizing import Minimum as Minimum
    from .minimizing import minimize as minimize
    from .resuming import Resumed as Resumed
    from .resuming import resume as resume
    from .stored import rows_within as rows_within
else:
    _LATE = {
        "gradient": "loss_and_gradient",
        "logs": "Log TensorBoard",
        "minimizing": "Minimum minimize",
        "resuming": "Resumed resume",
        "stored": "rows_within",
    }
    __getattr__ = late(__name__, within(_LATE))

Above.fit, Above.evaluate = fit, evaluate
