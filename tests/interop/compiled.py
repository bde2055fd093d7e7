"""Headers that fb.c.save wrote, compiled together by C and by C++, and called."""

import ctypes
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from exported_cases import has_probabilities

import fastbp as fb

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-fPIC", "-shared")
COMPILERS = {"c": ("gcc", "-std=c99"), "c++": ("g++", "-std=c++11")}
FLOATS = ctypes.POINTER(ctypes.c_float)

CALLED = """
#include "{name}.h"
#ifdef __cplusplus
extern "C"
#endif
void called_{name}(int n, const float *x, float *y);
void called_{name}(int n, const float *x, float *y)
{{
    for (int i = 0; i < n; i++) {{
        {call}
    }}
}}
"""


class Compiled:
    """Functions of headers, for many samples at once."""

    def __init__(self, nets: Mapping[str, Any], language: str, folder: Path) -> None:
        compiler, standard = COMPILERS[language]
        text = ""
        for name, net in nets.items():
            fb.c.save(net, folder / f"{name}.h")
            functions = ("scores", "predict", "predict_proba")
            for function in functions if has_probabilities(net) else functions[:2]:
                text += _called(name, function, (folder / f"{name}.h").read_text())
        source = folder / f"all.{'c' if language == 'c' else 'cpp'}"
        source.write_text(text)
        library = folder / f"{compiler}.so"
        command = [compiler, standard, *STRICT, str(source), "-o", str(library), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert not done.returncode, done.stderr[:3000]
        self.library = ctypes.CDLL(str(library))

    def __call__(self, name: str, function: str, x: Any, outputs: int) -> np.ndarray:
        x = np.ascontiguousarray(x, np.float32)
        y = np.full((len(x), outputs), 7, np.float32)
        pointers = x.ctypes.data_as(FLOATS), y.ctypes.data_as(FLOATS)
        getattr(self.library, f"called_{name}_{function}")(len(x), *pointers)
        return y


def _called(name: str, function: str, header: str) -> str:
    """A function that calls one of a header's for each sample."""
    inputs, big = f"x + i * {name.upper()}_INPUTS", name.upper()
    places = {"scores": f"{big}_OUTPUTS", "predict": f"{big}_OUTPUTS"}
    places["predict_proba"] = f"{big}_CLASSES" if "_CLASSES" in header else f"{big}_OUTPUTS"
    call = f"{name}_{function}({inputs}, y + i * {places[function]});"
    if f"int {name}_{function}(" in header:
        call = f"y[i] = (float){name}_{function}({inputs});"
    elif "int answers[" in header and function == "predict":
        call = (
            f"int found[{big}_OUTPUTS]; {name}_predict({inputs}, found); "
            f"for (int o = 0; o < {big}_OUTPUTS; o++) y[i * {big}_OUTPUTS + o] = (float)found[o];"
        )
    return CALLED.format(name=name, call=call).replace(
        f"called_{name}", f"called_{name}_{function}"
    )


def missing(language: str) -> bool:
    """Whether there is no such compiler here."""
    return shutil.which(COMPILERS[language][0]) is None
