"""Imported by the process that forks.py's come from: Numba, and all that it makes once."""

import numba
import numpy as np

numba.njit(lambda x: x + 1)(np.ones(1, np.float32))
