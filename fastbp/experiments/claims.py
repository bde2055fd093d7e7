"""The reports' claims, and whether the data bear them out: holds, does not hold, within noise.

With several seeds the noise of a difference is its 95 % interval (Student's t) over the seeds, in
pairs: networks of one seed see the samples in one order. With one seed nothing is known of the
spread; then the noise of an accuracy is twice its sampling error on that many images, and that of
anything else counts as none.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from fastbp._counted import counted

from .measures import TEST_ACCURACY, Measure

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "within noise"
NOT_JUDGED = "not judged"  # of a run that was cut short

# Student's t, two-sided 95 %, for 1, 2, … degrees of freedom; beyond the table its limit is near.
STUDENT_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14)
STUDENT_T_BEYOND = 2.13

COLLAPSED = 0.5  # a test accuracy below this, after whole epochs, is that of a broken network


class Evidence(Protocol):
    """What an experiment came to."""

    @property
    def test_images(self) -> int:
        """On how many images the test accuracy was measured."""

    def values(self, label: str, measure: Measure) -> np.ndarray:
        """The measure of each seed's run, (seeds,); NaN for a run that diverged."""


class Verdict(NamedTuple):
    """A claim, what became of it, and the numbers that say so."""

    claim: str
    word: str
    numbers: str


class Difference(NamedTuple):
    """By how much one is better than the other, and how much of that may be chance."""

    by: float
    noise: float

    @property
    def sign(self) -> int:
        """1 for better, -1 for worse, 0 where it may be chance."""
        return 0 if abs(self.by) <= self.noise else int(np.sign(self.by))


def compare(evidence: Evidence, measure: Measure, one: str, other: str) -> Difference:
    """By how much the variant `one` is better than `other`; a run that diverged is worse."""
    a, b = evidence.values(one, measure), evidence.values(other, measure)
    if np.isnan(a).any() or np.isnan(b).any():
        ahead = int(np.isnan(b).sum()) - int(np.isnan(a).sum())
        return Difference(ahead * np.inf if ahead else 0.0, 0.0)
    gains = (a - b) * (1 if measure.higher_is_better else -1)
    n = len(gains)
    if n > 1:
        t = STUDENT_T[n - 2] if n - 2 < len(STUDENT_T) else STUDENT_T_BEYOND
        return Difference(float(gains.mean()), float(t * gains.std(ddof=1) / np.sqrt(n)))
    if measure.images == "test":
        variance = (a * (1 - a) + b * (1 - b)).item() / evidence.test_images
        return Difference(gains.item(), 2 * float(np.sqrt(max(variance, 0.0))))
    return Difference(gains.item(), 0.0)


@dataclass(frozen=True)
class Claim:
    """Something a report says of its results, in words and as a rule."""

    text: str

    def judge(self, evidence: Evidence) -> Verdict:
        """Whether the data bear it out."""
        raise NotImplementedError


@dataclass(frozen=True)
class Best(Claim):
    """One variant is better than each of the others."""

    label: str
    others: tuple[str, ...]
    measure: Measure

    def judge(self, evidence: Evidence) -> Verdict:
        """Holds if it beats all, fails if one beats it."""
        signs = [compare(evidence, self.measure, self.label, other).sign for other in self.others]
        word = FAILS if -1 in signs else UNDECIDED if 0 in signs else HOLDS
        return Verdict(self.text, word, means(evidence, self.measure, (self.label, *self.others)))


@dataclass(frozen=True)
class Worst(Claim):
    """Each of the others is better than this variant."""

    label: str
    others: tuple[str, ...]
    measure: Measure

    def judge(self, evidence: Evidence) -> Verdict:
        """Holds if all beat it, fails if it beats one."""
        signs = [compare(evidence, self.measure, other, self.label).sign for other in self.others]
        word = FAILS if -1 in signs else UNDECIDED if 0 in signs else HOLDS
        return Verdict(self.text, word, means(evidence, self.measure, (self.label, *self.others)))


@dataclass(frozen=True)
class Rising(Claim):
    """The variants get better from the first to the last."""

    labels: tuple[str, ...]
    measure: Measure

    def judge(self, evidence: Evidence) -> Verdict:
        """Holds if the last beats the first and no step goes down, fails if one does."""
        steps = itertools.pairwise(self.labels)
        signs = [compare(evidence, self.measure, after, before).sign for before, after in steps]
        whole = compare(evidence, self.measure, self.labels[-1], self.labels[0]).sign
        word = FAILS if -1 in (*signs, whole) else HOLDS if whole == 1 else UNDECIDED
        return Verdict(self.text, word, means(evidence, self.measure, self.labels))


@dataclass(frozen=True)
class Close(Claim):
    """Two variants differ by less than so much."""

    one: str
    other: str
    within: float
    measure: Measure

    def judge(self, evidence: Evidence) -> Verdict:
        """Undecided where the difference may be on either side of the bound."""
        by, noise = compare(evidence, self.measure, self.one, self.other)
        inside, outside = abs(by) + noise <= self.within, abs(by) - noise > self.within
        word = HOLDS if inside else FAILS if outside else UNDECIDED
        numbers = means(evidence, self.measure, (self.one, self.other))
        return Verdict(
            self.text, word, f"{numbers}; close: within {self.measure.text(self.within)}"
        )


@dataclass(frozen=True)
class Reaches(Claim):
    """A variant comes to a number at least (or below it, where lower is better)."""

    label: str
    measure: Measure
    bound: float

    def judge(self, evidence: Evidence) -> Verdict:
        """Holds if every seed reaches it, fails if none does."""
        values = evidence.values(self.label, self.measure)
        better = values >= self.bound if self.measure.higher_is_better else values <= self.bound
        numbers = means(evidence, self.measure, (self.label,))
        return Verdict(self.text, _by_count(better), f"{numbers}; {_seeds(better)}")


@dataclass(frozen=True)
class Unstable(Claim):
    """A variant's numbers become NaN or infinite, or it ends with most images wrong."""

    label: str

    def judge(self, evidence: Evidence) -> Verdict:
        """Holds if every seed ends so, fails if none does."""
        accuracies = evidence.values(self.label, TEST_ACCURACY)
        lost, dead = np.isnan(accuracies), accuracies < COLLAPSED
        numbers = f"{int(lost.sum())} diverged and {int(dead.sum())} ended below 50 %"
        return Verdict(
            self.text, _by_count(lost | dead), f"{self.label}: {numbers}, of {_count(lost)}"
        )


def means(evidence: Evidence, measure: Measure, labels: Sequence[str]) -> str:
    """The means of variants, and their spread where there are several seeds."""
    parts = [
        f"{spread_text(evidence.values(label, measure), measure)} ({label})" for label in labels
    ]
    return f"{measure.name}: {'; '.join(parts)}"


def spread_text(values: np.ndarray, measure: Measure) -> str:
    """Mean ± standard deviation over the seeds that did not diverge, with the unit."""
    finite = values[~np.isnan(values)]
    if not len(finite):
        return "diverged"
    text = measure.number(float(finite.mean()))
    if len(finite) > 1:
        text += f" ± {measure.number(float(finite.std(ddof=1)))}"
    lost = len(values) - len(finite)
    return text + measure.unit + (f" ({lost} of {len(values)} diverged)" if lost else "")


def _by_count(hits: np.ndarray) -> str:
    return HOLDS if hits.all() else UNDECIDED if hits.any() else FAILS


def _seeds(hits: np.ndarray) -> str:
    return f"{int(hits.sum())} of {_count(hits)}"


def _count(seeds: np.ndarray) -> str:
    return counted(len(seeds), "seed")
