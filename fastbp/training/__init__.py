"""Training: data made fit, the loop, what watches it, how it went, and how good the result is."""

from .callbacks import Callback as Callback
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .history import DivergenceError as DivergenceError
from .history import Epoch as Epoch
from .history import History as History
from .loop import fit as fit
from .samples import Data as Data
