"""The page of benchmarks, made of docs/peers.json, as bench/peers.py wrote it."""

import json
import sys

import pages
from drawings import drawn

sys.path.append(str(pages.DOCS.parent / "bench"))

from _peers_table import against_goals, markdown

TEXT = """\
# Benchmarks

{picture}

{table}

## Beside what fastbp is to reach

How many times as fast as each library's best way, and how many times it is to be.

{goals}

## How it is measured

The same starting weights and order of samples; the losses are compared before anything is timed;
all in one process, in turn. With the hinge loss fastbp computes no gradients for samples that
clear their margin; the others compute those zeros. Times on a shared machine move by tens of per
cent from run to run.

```sh
python bench/peers.py --output docs/peers.json
python bench/peers.py --table docs/peers.json
```
"""


def report() -> dict:
    """What was measured."""
    return json.loads((pages.DOCS / "peers.json").read_text("utf-8"))


def make() -> None:
    """Write the page."""
    measured = report()
    picture = drawn("peers", "How many times as long PyTorch and JAX take as fastbp")
    table, goals = markdown(measured), against_goals(measured)
    pages.write("benchmarks.md", TEXT.format(picture=picture, table=table, goals=goals))
