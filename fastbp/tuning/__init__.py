"""``fb.search``: the best of many settings, each trained by ``fit_many``."""

from .found import Found as Found
from .search import search as search
from .trials import Trial as Trial
