"""What counts of a labelled sample say of the purity of candidates at another prevalence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, binom  # type: ignore[import-untyped]

from lensnet.evaluation.checks import FloatArray, IntArray

__all__ = [
    "Claim",
    "Counts",
    "count_above",
    "failure_probability",
    "lower_bound",
    "negatives_needed",
    "purity_of_rates",
    "upper_bound",
]

# How the risk is shared: the rate of false positives, of which there are few, is the dear part.
_SHARES_WITHOUT_END = (0.8, 0.2, 0.0)
_SHARES_OF_A_SURVEY = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Claim:
    """What is to be true of the candidates above a threshold.

    Without `objects` it is the share of true candidates in a survey without end that must reach
    `purity`; with them, that in a survey of so many, which varies from one survey to the next.

    Args:
        prevalence: share of the class looked for among all objects; the claim holds for any
            higher one too.
        purity: least share of it among the candidates.
        confidence: with which that is to be said.
        objects: in the survey; None for one without end.

    Raises:
        ValueError: a share is not between 0 and 1, or there is no object.
    """

    prevalence: float
    purity: float
    confidence: float = 0.95
    objects: int | None = None

    def __post_init__(self) -> None:
        for name in ("prevalence", "purity", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1; got {getattr(self, name)}")
        if self.objects is not None and self.objects < 1:
            raise ValueError(f"objects must be at least 1; got {self.objects}")

    @property
    def risks(self) -> tuple[float, float, float]:
        """The risk that is left to the rates of false and true positives and to the survey."""
        shares = _SHARES_WITHOUT_END if self.objects is None else _SHARES_OF_A_SURVEY
        risk = 1 - self.confidence
        return risk * shares[0], risk * shares[1], risk * shares[2]

    @property
    def largest_ratio(self) -> float:
        """How large the false-positive rate may be for each unit of the true-positive rate."""
        odds = self.prevalence / (1 - self.prevalence)
        return odds * (1 - self.purity) / self.purity


@dataclass(frozen=True, eq=False)
class Counts:
    """How many of a labelled sample score at or above each threshold.

    Args:
        false: negatives, (T,).
        true: positives, (T,).
        negatives: in all.
        positives: in all.
    """

    false: IntArray
    true: IntArray
    negatives: int
    positives: int

    def purity_bounds(self, claim: Claim) -> FloatArray:
        """Returns for each threshold, taken by itself, what purity is exceeded at the least, (T,).

        In a survey without end, by the bounds of Clopper and Pearson 1934 on both rates.
        """
        false, true = self.worst_rates(claim)
        return purity_of_rates(false, true, claim.prevalence)

    def worst_rates(self, claim: Claim) -> tuple[FloatArray, FloatArray]:
        """Returns the false-positive rates at most and the true-positive rates at least."""
        of_false, of_true, _ = claim.risks
        return (
            upper_bound(self.false, self.negatives, of_false),
            lower_bound(self.true, self.positives, of_true),
        )


def count_above(positives: FloatArray, negatives: FloatArray, thresholds: FloatArray) -> Counts:
    """Counts the scores at or above each threshold.

    Args:
        positives: scores, (P,), in any order.
        negatives: scores, (M,).
        thresholds: (T,).

    Example:

    >>> counts = count_above(np.array([0.9, 0.4]), np.array([0.5, 0.1]), np.array([0.9, 0.5]))
    >>> counts.true.tolist(), counts.false.tolist()
    ([1, 1], [0, 1])
    """
    return Counts(
        _above(negatives, thresholds),
        _above(positives, thresholds),
        len(negatives),
        len(positives),
    )


def upper_bound(successes: ArrayLike, trials: int, risk: float) -> FloatArray:
    """Returns what a rate exceeds with no more than the given risk (Clopper & Pearson 1934).

    Example:

    None of 3000, at a risk of 5 %: the rule of three.

    >>> round(float(upper_bound(0, 3000, 0.05)), 5)
    0.001
    """
    number = np.asarray(successes)
    bound = beta.ppf(1 - risk, number + 1, np.maximum(trials - number, 1))
    return np.where(number < trials, bound, 1.0)


def lower_bound(successes: ArrayLike, trials: int, risk: float) -> FloatArray:
    """Returns what a rate falls below with no more than the given risk (Clopper & Pearson)."""
    number = np.asarray(successes)
    bound = beta.ppf(risk, np.maximum(number, 1), trials - number + 1)
    return np.where(number > 0, bound, 0.0)


def purity_of_rates(false: ArrayLike, true: ArrayLike, prevalence: float) -> FloatArray:
    """Returns the share of true candidates, q t / (q t + (1 - q) f); 0 where there is none.

    Example:

    >>> float(purity_of_rates(0.001, 0.5, 0.002).round(3))
    0.501
    """
    found = prevalence * np.asarray(true, np.float64)
    candidates = found + (1 - prevalence) * np.asarray(false, np.float64)
    return np.divide(found, candidates, out=np.zeros_like(candidates), where=found > 0)


def failure_probability(false: float, true: float, claim: Claim) -> float:
    """Returns how often a survey of `claim.objects` has a purity below the claimed one.

    The number of candidates is binomial, and so is that of the false ones among them. It grows
    with the false-positive rate and falls with the true-positive rate: with each more negative
    that passes, a survey stays as bad or becomes worse.

    Args:
        false: the false-positive rate.
        true: the true-positive rate.
        claim: with `objects`.
    """
    if claim.objects is None:
        raise ValueError("a survey without end has no probability to fail")
    of_false, of_true = (1 - claim.prevalence) * false, claim.prevalence * true
    rate = of_false + of_true
    if rate <= 0:
        return 0.0
    low, high = binom.ppf([1e-9, 1 - 1e-9], claim.objects, min(rate, 1.0))
    candidates = np.arange(max(int(low), 1), int(high) + 1)
    # That many false ones are still within the claim; the sum below is exact, the product is not.
    allowed = np.floor((1 - claim.purity) * candidates + 1e-9)
    weights = binom.pmf(candidates, claim.objects, min(rate, 1.0))
    return float(np.sum(weights * binom.sf(allowed, candidates, of_false / rate)))


def negatives_needed(true: float, claim: Claim) -> int | None:
    """Returns how many negatives it takes if not one of them is to pass.

    Args:
        true: what the true-positive rate reaches at the least.
        claim: what is to be claimed, in a survey without end; one that ends takes more.

    Returns:
        None where no number would do: nothing is known to be found.

    Example:

    >>> negatives_needed(1.0, Claim(5e-4, 0.5))
    6433
    """
    rate = claim.largest_ratio * true
    if rate <= 0:
        return None
    return max(1, math.ceil(math.log(claim.risks[0]) / math.log1p(-min(rate, 0.5))))


def _above(scores: FloatArray, thresholds: FloatArray) -> IntArray:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, "left").astype(np.int64)
