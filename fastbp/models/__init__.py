"""Networks as TOML files: the layers in order with their settings, and how they are trained.

dense.toml and lenet.toml, beside this file, are such files, and so is the config.toml that every
run of ``python -m fastbp train`` leaves.

>>> model = fb.models.read("lenet")                       # or fb.models.read("mine.toml")
>>> net = model.build(features=784, classes=10)
>>> fb.fit(net, train, **model.fit_arguments())
"""

from ._described import DENSE as DENSE
from ._described import Setting as Setting
from ._described import SettingError as SettingError
from ._described import asked_for as asked_for
from ._described import dense as dense
from ._described import described as described
from ._described import known_settings as known_settings
from ._keys import KEYS as KEYS
from ._keys import PARTS as PARTS
from ._reader import NAMED as NAMED
from ._reader import read as read
from .model import Model as Model
from .model import multiply_adds as multiply_adds

__all__ = ["Model", "read"]
