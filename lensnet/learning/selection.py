"""Weights that undo how candidates were selected for grading by their score.

People grade what a network thinks are lenses, and perhaps a sample of the rest. Each graded object
stands for those of like score that were not graded: it counts by the inverse of the probability
that an object of its score was graded (Horvitz & Thompson 1952, J. Am. Stat. Assoc. 47, 663). That
probability is a step function of the rank by score, whose steps are found from the ranks of the
graded by Bayesian Blocks (Scargle et al. 2013, ApJ 764, 167), as astropy has them: whether the best
were graded, a range, uncertain ones, a random control, or several of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["SelectionWeights", "effective_number", "selection_weights", "truncated"]

_FALSE_STEP = 0.05
"""How often a step is found where there is none."""

_MOST_RANKS = 2000
"""Ranks among which steps are looked for, which takes time as their square: of more, neighbours are
taken together."""


@dataclass(frozen=True, eq=False)
class SelectionWeights:
    """What graded objects count.

    Args:
        weights: (N,) float64 of the graded objects, with a mean of 1.
        inverse: (N,) inverse probabilities of having been graded, before truncation.
        num_truncated: how many of the weights were cut.
        num_steps: steps of that probability.
        objects: how many objects have a score.
        outside: how many of them score above or below all that were graded, and beyond the reach of
            these: nothing stands for them.
    """

    weights: np.ndarray
    inverse: np.ndarray
    num_truncated: int
    num_steps: int
    objects: int
    outside: int

    @property
    def effective(self) -> float:
        """How many objects of equal weight would tell as much."""
        return effective_number(self.weights)

    @property
    def words(self) -> str:
        """What the weights are, in a line."""
        low, high = float(self.inverse.min()), float(self.inverse.max())
        count = len(self.weights)
        if high - low < 0.005:
            each = f"Each candidate stands for {low:.3g} of the {self.objects} scored objects"
        else:
            each = (
                f"Candidates stand for {low:.3g} to {high:.3g} of the {self.objects} scored "
                f"objects each, in {self.num_steps} steps of score"
            )
        cut = f", {self.num_truncated} weights cut" if self.num_truncated else ""
        rest = f"; {self.outside} score where none was graded" if self.outside else ""
        return f"{each}{cut}: they count as {self.effective:.0f} of {count}{rest}."


def selection_weights(scores: np.ndarray, graded: np.ndarray) -> SelectionWeights:
    """Returns what graded objects count so that they stand for all that were scored.

    Args:
        scores: (M,) of all objects, those that were graded among them; NaN for those without.
        graded: (N,) of the graded objects.

    Raises:
        ValueError: there is no graded object, or one has no score.

    >>> every = np.arange(1000) / 1000
    >>> found = selection_weights(every, np.concatenate([every[-50:], every[:900:30]]))
    >>> found.inverse[[1, 49]].tolist(), found.inverse[50:].round().tolist()[:2]
    ([1.0, 1.0], [31.0, 31.0])
    """
    graded = np.asarray(graded, np.float64)
    if not len(graded) or not np.isfinite(graded).all():
        raise ValueError("each graded object needs a score, and there must be one")
    known = np.asarray(scores, np.float64)
    known = known[np.isfinite(known)]
    values, counts = np.unique(-known, return_counts=True)
    # Objects of one score share the middle of their ranks, the best being 1.
    ranks = np.cumsum(counts) - (counts - 1) / 2
    place = np.searchsorted(values, -graded).clip(0, len(values) - 1)
    of_graded = ranks[place]
    if not (values[place] == -graded).all():
        raise ValueError("each graded object must be among those that were scored")
    edges = _steps(of_graded, len(known))
    objects, _ = np.histogram(ranks, bins=edges, weights=counts)
    found, _ = np.histogram(of_graded, bins=edges)
    step = np.searchsorted(edges, of_graded, side="right").clip(1, len(edges) - 1) - 1
    inverse = np.maximum(objects[step] / found[step], 1.0)
    weights, cut = truncated(inverse)
    outside = len(known) - int(objects.sum())
    return SelectionWeights(weights, inverse, cut, len(edges) - 1, len(known), outside)


def truncated(weights: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns weights of mean 1 of which none stands out too far, and how many were cut.

    Weights of importance sampling cut at `mean * sqrt(N)` have a variance that stays finite,
    whatever the probabilities were, and a bias that goes to 0 as N grows (Ionides 2008, J. Comput.
    Graph. Stat. 17, 295, section 2).

    >>> weights, cut = truncated(np.array([1.0] * 15 + [1000.0]))
    >>> round(float(weights[-1] / weights[0])), cut
    (254, 1)
    """
    weights = np.asarray(weights, np.float64)
    most = float(weights.mean()) * math.sqrt(len(weights))
    kept = np.minimum(weights, most)
    return kept / kept.mean(), int(np.sum(weights > most))


def effective_number(weights: np.ndarray) -> float:
    """Returns `(sum w)^2 / sum w^2` (Kish 1965, Survey Sampling, section 11.7).

    >>> effective_number(np.array([1.0, 1.0, 0.0]))
    2.0
    """
    return float(np.sum(weights) ** 2 / np.sum(np.square(weights)))


def _steps(ranks: np.ndarray, objects: int) -> np.ndarray:
    """Returns the edges between which objects were graded alike often, in ranks, ascending."""
    at, times = np.unique(ranks, return_counts=True)
    if len(at) < 2:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    if len(ranks) == objects:
        return np.array([0.5, objects + 0.5])
    from astropy.stats import bayesian_blocks

    at, times = _grouped(at, times)
    edges = np.array(bayesian_blocks(at, times, fitness="events", p0=_FALSE_STEP))
    # Beyond the outermost graded lie as many objects as between two of them.
    for end, sign in ((0, -1.0), (-1, 1.0)):
        inner = edges[1] if end == 0 else edges[-2]
        inside = (ranks >= min(inner, edges[end])) & (ranks <= max(inner, edges[end]))
        gap = abs(inner - edges[end]) / max(int(inside.sum()), 1)
        edges[end] += sign * max(gap / 2, 0.5)
    return np.clip(edges, 0.5, objects + 0.5)


def _grouped(at: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns ranks and how often each occurs, of many ranks neighbours together."""
    if len(at) <= _MOST_RANKS:
        return at, times
    starts = np.linspace(0, len(at), _MOST_RANKS + 1).astype(int)[:-1]
    total = np.add.reduceat(times, starts)
    return np.add.reduceat(at * times, starts) / total, total
