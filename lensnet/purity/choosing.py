"""Choosing a threshold so that the choice does not spoil what is claimed of it.

One sample chooses, another one proves. The first orders the thresholds: it begins with the one at
which the proof is most likely to succeed, and goes on to lower ones, which find more. The second
tests one after the other, each at the whole risk, and stops at the first that fails: the
fixed-sequence test of "Learn then Test" (Angelopoulos et al. 2021, arXiv:2110.01052, section 2.3
and the split form of it), by which no more than the stated share of all such choices is wrong.
The hypothesis at a threshold is that the ratio of both rates is too large; it is rejected by
Clopper and Pearson's bounds on each, which share the risk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import betabinom, binom  # type: ignore[import-untyped]

from lensnet.evaluation.checks import FloatArray
from lensnet.purity.bounds import (
    Claim,
    Counts,
    count_above,
    failure_probability,
    lower_bound,
    negatives_needed,
    purity_of_rates,
    upper_bound,
)

__all__ = ["Chosen", "ScoreSample", "choose_threshold"]

_MOST_THRESHOLDS = 100


@dataclass(frozen=True, eq=False)
class ScoreSample:
    """Scores of what is looked for and of all else, which is known by label.

    Args:
        positives: (P,).
        negatives: (M,).
    """

    positives: FloatArray
    negatives: FloatArray

    @property
    def is_empty(self) -> bool:
        """Whether there is none of either."""
        return not len(self.positives) or not len(self.negatives)


@dataclass(frozen=True)
class Chosen:
    """A threshold, or why there is none.

    Attributes:
        threshold: candidates are objects that score as much or more; None where nothing can be
            claimed as asked.
        counts: of the proving sample at `at`.
        at: the threshold, or where there is none that with which the test began.
        purity_bound: the least purity, in a survey without end, that can be claimed at `at`: where
            there is no threshold it is the claim that could be made instead.
        needed: where there is none because of too few negatives, how many it would take at the
            least; None where there are enough.
    """

    threshold: float | None
    at: float
    counts: Counts
    purity_bound: float
    needed: int | None = None

    def completeness(self, confidence: float) -> tuple[float, float, float]:
        """Returns the share found, and the ends of its interval.

        The same numbers have said where the test stops: half of the risk is left to that.
        """
        return self._rate(int(self.counts.true[0]), self.counts.positives, (1 - confidence) / 2)

    def false_positive_rate(self, confidence: float) -> tuple[float, float, float]:
        """Returns the share of the rest that passes, and the ends of its interval, as above."""
        return self._rate(int(self.counts.false[0]), self.counts.negatives, (1 - confidence) / 2)

    @staticmethod
    def _rate(number: int, trials: int, risk: float) -> tuple[float, float, float]:
        low = float(lower_bound(number, trials, risk / 2))
        return number / trials, low, float(upper_bound(number, trials, risk / 2))


def choose_threshold(choosing: ScoreSample, proving: ScoreSample, claim: Claim) -> Chosen:
    """Returns the lowest threshold of which the claim can be made.

    Args:
        choosing: scores that order the thresholds, such as those of a validation split.
        proving: scores that no choice has seen, such as those of a test split.
        claim: what is to be true above it.

    Raises:
        ValueError: a sample lacks one of the two kinds.
    """
    if choosing.is_empty or proving.is_empty:
        raise ValueError("both samples need what is looked for and what is not")
    thresholds = _thresholds(choosing)
    first = count_above(choosing.positives, choosing.negatives, thresholds)
    counts = count_above(proving.positives, proving.negatives, thresholds)
    false, true = counts.worst_rates(claim)
    bounds = counts.purity_bounds(claim)
    start = int(np.argmax(_chances(first, counts.negatives, counts.positives, claim)))
    last = None
    for at in range(start, len(thresholds)):
        if not _holds(float(false[at]), float(true[at]), float(bounds[at]), claim):
            break
        last = at
    at = start if last is None else last
    found = Counts(
        counts.false[at : at + 1], counts.true[at : at + 1], counts.negatives, counts.positives
    )
    needed = None if last is not None else _needed(counts, start, claim)
    threshold = None if last is None else float(thresholds[last])
    return Chosen(threshold, float(thresholds[at]), found, float(bounds[at]), needed)


def _thresholds(sample: ScoreSample) -> FloatArray:
    """Thresholds from high to low, each between a score of what is looked for and the next lower.

    Between two scores, so that rounding a score moves no object across.
    """
    ours = np.unique(sample.positives)[::-1]
    if len(ours) > _MOST_THRESHOLDS:
        ours = ours[np.linspace(0, len(ours) - 1, _MOST_THRESHOLDS).round().astype(int)]
    everything = np.unique(np.concatenate([sample.positives, sample.negatives]))
    below = np.searchsorted(everything, ours) - 1
    middle = (ours + everything[np.maximum(below, 0)]) / 2
    return np.where(below >= 0, middle, ours)


def _chances(first: Counts, negatives: int, positives: int, claim: Claim) -> FloatArray:
    """How likely each threshold is to pass the test of the second sample, as the first sees it.

    The false positives there are beta-binomial, by Jeffreys' prior for their rate.
    """
    of_false, of_true, _ = claim.risks
    expected = np.round(first.true / first.positives * positives).astype(int)
    highest = claim.largest_ratio * lower_bound(expected, positives, of_true)
    # The most false positives whose bound is no higher: so few must be rare at the highest rate.
    highest = np.minimum(highest, 1.0)
    most = binom.ppf(of_false, negatives, highest)
    most = np.where(binom.cdf(most, negatives, highest) > of_false, most - 1, most)
    chances = betabinom.cdf(most, negatives, first.false + 0.5, first.negatives - first.false + 0.5)
    # Where none can pass, nearer is better: then what is claimed instead is claimed there.
    far = purity_of_rates((first.false + 0.5) / (first.negatives + 1), highest, claim.prevalence)
    return np.where(most >= 0, chances, 0) + 1e-9 * far


def _holds(false: float, true: float, bound: float, claim: Claim) -> bool:
    """Whether the claim is proved by the worst rates that are not excluded."""
    if bound < claim.purity:
        return False
    if claim.objects is None:
        return True
    return failure_probability(false, true, claim) <= claim.risks[2]


def _needed(counts: Counts, at: int, claim: Claim) -> int | None:
    """How many negatives it takes, if there are fewer."""
    most = lower_bound(counts.true[at], counts.positives, claim.risks[1])
    needed = negatives_needed(float(most), claim)
    return needed if needed is not None and needed > counts.negatives else None
