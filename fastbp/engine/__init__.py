"""Whole epochs and many scores without going back to Python: networks as rows of numbers.

``program`` says what a network is in such rows, ``sharing`` how threads share it, ``workspace``
what an engine works with, ``settings`` what its steps are told, ``carried`` what goes on from one
to the next, ``pace`` how many threads are fastest; ``epochs`` trains and ``scores`` predicts.
"""

from fastbp._above import Above

from .scores import fused_scores, one_sample

Above.fused_scores = fused_scores
Above.one_sample = one_sample
