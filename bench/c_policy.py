"""What a C header takes for one sample of a 17-64-64-6 policy, beside fastbp's own predict.

python bench/c_policy.py [--compiler gcc] [--flags=-O2]: nanoseconds of processor time a call, the
least of many; each sample depends on the scores before it, as a robot's does.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastbp as fb

CALLS, REPEATS = 20_000, 50
PROGRAM = f"""
#include <stdio.h>
#include <time.h>
#include "policy.h"

int main(void)
{{
    float x[POLICY_INPUTS] = {{0.1f, -0.4f, 0.7f}}, y[POLICY_OUTPUTS];
    double least = 1e9, taken;
    clock_t start;
    int i, k;
    for (k = 0; k < {REPEATS}; k++) {{
        start = clock();
        for (i = 0; i < {CALLS}; i++) {{
            policy_scores(x, y);
            x[i % POLICY_INPUTS] = y[0];
        }}
        taken = (double)(clock() - start) / CLOCKS_PER_SEC / {CALLS} * 1e9;
        least = taken < least ? taken : least;
    }}
    printf("%.0f\\n", least);
    return 0;
}}
"""


def of_c(net: fb.Sequential, compiler: str, flags: list[str]) -> float:
    """Nanoseconds of a call in C."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fb.c.save(net, folder / "policy.h")
        (folder / "policy.c").write_text(PROGRAM)
        command = [compiler, "-std=c99", *flags, "policy.c", "-o", "policy", "-lm"]
        subprocess.run(command, cwd=folder, check=True)
        done = subprocess.run([folder / "policy"], check=True, capture_output=True, text=True)
    return float(done.stdout)


def of_fastbp(net: fb.Sequential) -> float:
    """Nanoseconds of net.scores(x), of one sample."""
    frozen, x, least = net.frozen(), np.zeros((1, 17), np.float32), float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(200):
            frozen.scores(x)
        least = min(least, time.process_time() - start)
    return least / 200 * 1e9


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument("--flags", nargs="+", default=["-O2"])
    args = parser.parse_args()
    net = fb.Sequential(
        *(fb.Linear(17, 64), fb.Tanh(), fb.Linear(64, 64), fb.Tanh(), fb.Linear(64, 6))
    )
    told = f"{args.compiler} {' '.join(args.flags)}"
    rows = {f"policy_scores, {told}": of_c(net, args.compiler, args.flags)}
    rows["net.frozen().scores, one sample"] = of_fastbp(net)
    sys.stdout.writelines(f"{what:<32} {taken:6.0f} ns\n" for what, taken in rows.items())


if __name__ == "__main__":
    main()
