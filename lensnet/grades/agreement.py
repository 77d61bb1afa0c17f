"""How far graders agree beyond chance."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lensnet.grades.grade import GRADES

__all__ = ["Agreement", "PairAgreement", "cohen_kappa", "fleiss_kappa", "measure_agreement"]


@dataclass(frozen=True)
class PairAgreement:
    """How far two graders agree.

    Args:
        graders: the two.
        common: candidates that both have graded.
        observed: the share of them on which they agree.
        kappa: Cohen's; None where it is not defined.
    """

    graders: tuple[str, str]
    common: int
    observed: float
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """How far all graders agree.

    Args:
        candidates: how many have the grades of two people or more; all is measured on these.
        observed: the share of pairs of grades of one candidate that are equal, averaged over the
            candidates; None where no candidate has two.
        fleiss: Fleiss' kappa; None for fewer than three graders, or where it is not defined.
        pairs: each two graders that have candidates in common.
    """

    candidates: int
    observed: float | None
    fleiss: float | None
    pairs: tuple[PairAgreement, ...]


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Returns the kappa of two graders (Cohen 1960, Educ. Psychol. Meas. 20, 37).

    Args:
        first: the grades of one.
        second: the grades of the other on the same candidates, at least one.

    Returns:
        kappa; None where both gave all candidates one and the same grade, of which chance agreement
        is certain.
    """
    from sklearn.metrics import cohen_kappa_score

    if len({*first, *second}) < 2:
        return None
    return float(cohen_kappa_score(list(first), list(second)))


def fleiss_kappa(counts: np.ndarray) -> float | None:
    """Returns the kappa of many graders (Fleiss 1971, Psychological Bulletin 76, 378).

    Where all candidates have as many grades, this is the paper's. Where not, the share of agreeing
    pairs is taken of each candidate's own number of pairs, and each candidate counts once in the
    shares of the grades, as Gwet 2014 (Handbook of Inter-Rater Reliability, chapter 2) has it.

    Args:
        counts: (candidates, grades), how many graders gave a candidate each grade; at least two
            grades a candidate.

    Returns:
        kappa; None where only one grade occurs, of which chance agreement is certain.

    Raises:
        ValueError: a candidate has fewer than two grades.
    """
    counts = np.asarray(counts, np.float64)
    total = counts.sum(axis=1)
    if not len(counts) or (total < 2).any():
        raise ValueError("each candidate needs two grades or more")
    observed = _agreeing_pairs(counts).mean()
    shares = (counts / total[:, np.newaxis]).mean(axis=0)
    by_chance = float((shares**2).sum())
    if np.isclose(by_chance, 1):
        return None
    return float((observed - by_chance) / (1 - by_chance))


def measure_agreement(by_candidate: Mapping[str, Mapping[str, str]]) -> Agreement:
    """Measures how far graders agree.

    Args:
        by_candidate: of each candidate the grades by grader.
    """
    several = [given for given in by_candidate.values() if len(given) > 1]
    counts = np.array(
        [[Counter(given.values())[grade] for grade in GRADES] for given in several], np.float64
    ).reshape(-1, len(GRADES))
    graders = sorted({grader for given in by_candidate.values() for grader in given})
    pairs = [
        pair
        for two in itertools.combinations(graders, 2)
        if (pair := _pair(two, several)) is not None
    ]
    return Agreement(
        candidates=len(several),
        observed=float(_agreeing_pairs(counts).mean()) if several else None,
        fleiss=fleiss_kappa(counts) if several and len(graders) > 2 else None,
        pairs=tuple(pairs),
    )


def _agreeing_pairs(counts: np.ndarray) -> np.ndarray:
    """Returns of each candidate the share of pairs of grades that are equal, the paper's P_i."""
    total = counts.sum(axis=1)
    return np.asarray(((counts**2).sum(axis=1) - total) / (total * (total - 1)))


def _pair(graders: tuple[str, str], several: Sequence[Mapping[str, str]]) -> PairAgreement | None:
    one, other = graders
    common = [(given[one], given[other]) for given in several if one in given and other in given]
    if not common:
        return None
    first, second = zip(*common, strict=True)
    observed = sum(a == b for a, b in common) / len(common)
    return PairAgreement(graders, len(common), observed, cohen_kappa(first, second))
