"""Are the scores of a survey a mixture of those of the calibration, and in which proportion?

If nothing but the prevalence differs, a histogram of the survey's scores is (1 - q) times that of
the negatives plus q times that of the positives ("label shift": Lipton et al. 2018,
arXiv:1802.03916, estimate q from it). How well any q fits tells whether the data have moved, and
how much worse the stated q fits than the best one tells whether the prevalence has. Both
histograms of the calibration have few counts in their tails, and so are fitted along: the
likelihood of Barlow and Beeston 1993 (Comput. Phys. Commun. 77, 219), in which each bin has two
unknown means and three Poisson counts. p-values come from histograms drawn from the fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy  # type: ignore[import-untyped]

from lensnet.evaluation.checks import FloatArray
from lensnet.purity.choosing import ScoreSample

__all__ = ["Histograms", "MixtureTest", "histogram_edges", "compare_scores"]

# Bins by quantiles of either kind: the negatives' bulk, and the tail where the positives lie.
_BINS_OF_NEGATIVES = 12
_BINS_OF_POSITIVES = 6
# Of an empty bin of the calibration, so that its logarithm is finite; nothing beside one count.
_EMPTY = 1e-9
_GRID = np.concatenate([[0.0], np.geomspace(1e-6, 0.5, 20), [0.8, 1.0]])
_REFINEMENTS = 16
_GOLDEN = (np.sqrt(5.0) - 1) / 2


@dataclass(frozen=True, eq=False)
class Histograms:
    """Counts of three samples in the same bins; many drawings at once.

    Args:
        negatives: (R, B).
        positives: (R, B).
        survey: (R, B).
    """

    negatives: FloatArray
    positives: FloatArray
    survey: FloatArray

    @classmethod
    def of(cls, sample: ScoreSample, survey: FloatArray, edges: FloatArray) -> Histograms:
        """Counts scores between edges, one drawing.

        Args:
            sample: of the calibration.
            survey: (N,).
            edges: between the bins, (B - 1,).
        """
        bins = len(edges) + 1
        return cls(
            *(
                np.bincount(np.digitize(scores, edges), minlength=bins)[None].astype(np.float64)
                for scores in (sample.negatives, sample.positives, survey)
            )
        )


@dataclass(frozen=True)
class MixtureTest:
    """What the scores of a survey say.

    Attributes:
        prevalence: that which fits best.
        interval: of the prevalences that are not excluded, as far as the data have not moved.
        fit_p_value: how often a mixture would fit as badly; small where the data have moved.
        prevalence_p_value: how often the stated prevalence would fit so much worse than the best
            one if it were true; small where the prevalence has moved.
        distance: largest distance between the cumulative histograms of the survey and of the
            fitted mixture: how far the data have moved, from 0 to 1.
    """

    prevalence: float
    interval: tuple[float, float]
    fit_p_value: float
    prevalence_p_value: float
    distance: float


def histogram_edges(sample: ScoreSample) -> FloatArray:
    """Returns edges between bins, by quantiles of the negatives and of the positives, (B - 1,).

    Args:
        sample: scores; better not those whose histograms are compared.
    """
    negatives = np.quantile(
        sample.negatives, np.linspace(0, 1, _BINS_OF_NEGATIVES + 1)[1:-1], method="higher"
    )
    positives = np.quantile(
        sample.positives, np.linspace(0, 1, _BINS_OF_POSITIVES + 1)[1:-1], method="higher"
    )
    return np.unique(np.concatenate([negatives, positives]))


def compare_scores(
    sample: ScoreSample,
    survey: FloatArray,
    edges: FloatArray,
    prevalence: float,
    *,
    confidence: float = 0.95,
    drawings: int = 499,
    seed: int = 0,
) -> MixtureTest:
    """Tests the scores of a survey against those of the calibration.

    Args:
        sample: scores of the calibration.
        survey: scores, (N,).
        edges: of the bins, as of `histogram_edges`.
        prevalence: the stated one.
        confidence: of the interval of the prevalence.
        drawings: for the p-values.
        seed: of them.
    """
    observed = Histograms.of(sample, survey, edges)
    best, deviance = _best_mixture(observed)
    stated = np.array([prevalence])
    worse = float(_deviance(observed, stated)[0] - deviance[0])
    random = np.random.default_rng(seed)
    _, of_fit = _best_mixture(_draw(observed, best, drawings, random))
    drawn = _draw(observed, stated, drawings, random)
    drawn_best = _best_mixture(drawn)[1]
    of_stated = _deviance(drawn, np.repeat(stated, drawings)) - drawn_best
    return MixtureTest(
        float(best[0]),
        _interval(observed, float(deviance[0]), float(np.quantile(of_stated, confidence))),
        _p_value(float(deviance[0]), of_fit),
        _p_value(worse, of_stated),
        _distance(observed, best),
    )


def _p_value(value: float, drawn: FloatArray) -> float:
    # What rounding alone makes differ is as large.
    return float((1 + np.sum(drawn >= value - 1e-6)) / (1 + len(drawn)))


def _means(of: Histograms, prevalence: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The means of each bin that are most likely at a prevalence (R,), three arrays (R, B).

    With a negatives, b positives and c of the survey, whose mean is u A + v B, the means are
    A = a / (1 + u t) and B = b / (1 + v t), where t = 1 - c / (u A + v B) is the larger root of
    a quadratic equation (Barlow & Beeston 1993, equation 12, for two sources).
    """
    a, b, c = of.negatives + _EMPTY, of.positives + _EMPTY, of.survey
    number = c.sum(axis=1)
    u = ((1 - prevalence) * number / of.negatives.sum(axis=1))[:, None]
    v = (prevalence * number / of.positives.sum(axis=1))[:, None]
    total, mixed = u * a + v * b, u * v * (a + b)
    square, linear, constant = mixed + c * u * v, total - mixed + c * (u + v), c - total
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0))
    # Of the two forms of the root the one that subtracts nothing.
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(linear >= 0, -2 * constant / (linear + root), (root - linear) / (2 * square))
    negatives = a / np.maximum(1 + u * t, 1e-300)
    positives = b / np.maximum(1 + v * t, 1e-300)
    return negatives, positives, u * negatives + v * positives


def _deviance(of: Histograms, prevalence: FloatArray) -> FloatArray:
    """Twice the log-likelihood by which a mixture falls short of any histograms, (R,)."""
    pairs = zip(
        _means(of, prevalence),
        (of.negatives + _EMPTY, of.positives + _EMPTY, of.survey),
        strict=True,
    )
    parts = [mean - count + xlogy(count, count) - xlogy(count, mean) for mean, count in pairs]
    return np.asarray(2 * np.sum(parts, axis=(0, 2)))


def _best_mixture(of: Histograms) -> tuple[FloatArray, FloatArray]:
    """The prevalence that fits best and its deviance, (R,) each: a grid, then golden sections."""
    rows = len(of.survey)
    values = np.array([_deviance(of, np.full(rows, q)) for q in _GRID])
    at = np.argmin(values, axis=0)
    low = _GRID[np.maximum(at - 1, 0)]
    high = _GRID[np.minimum(at + 1, len(_GRID) - 1)]
    one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    of_one, of_two = _deviance(of, one), _deviance(of, two)
    for _ in range(_REFINEMENTS):
        left = of_one < of_two
        low, high = np.where(left, low, one), np.where(left, two, high)
        new = np.where(left, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        of_new = _deviance(of, new)
        one, two = np.where(left, new, two), np.where(left, one, new)
        of_one, of_two = np.where(left, of_new, of_two), np.where(left, of_one, of_new)
    middle = (low + high) / 2
    deviance = _deviance(of, middle)
    on_grid = values[at, np.arange(rows)]
    better = on_grid <= deviance
    return np.where(better, _GRID[at], middle), np.minimum(on_grid, deviance)


def _draw(
    of: Histograms, prevalence: FloatArray, drawings: int, random: np.random.Generator
) -> Histograms:
    """Draws histograms of the same sizes from a fitted mixture."""
    drawn = []
    counts = (of.negatives, of.positives, of.survey)
    for mean, count in zip(_means(of, prevalence), counts, strict=True):
        shares = mean[0] / mean[0].sum()
        drawn.append(random.multinomial(int(count.sum()), shares, drawings).astype(np.float64))
    return Histograms(*drawn)


def _interval(of: Histograms, least: float, margin: float) -> tuple[float, float]:
    """The prevalences whose deviance is no more than a margin above the least one."""
    grid = np.unique(np.concatenate([_GRID, np.geomspace(1e-7, 1, 400)]))
    same = Histograms(*(np.repeat(part, len(grid), 0) for part in _parts(of)))
    fine = grid[_deviance(same, grid) <= least + margin]
    best = float(_best_mixture(of)[0][0])
    return min([*fine.tolist(), best]), max([*fine.tolist(), best])


def _parts(of: Histograms) -> tuple[FloatArray, FloatArray, FloatArray]:
    return of.negatives, of.positives, of.survey


def _distance(of: Histograms, prevalence: FloatArray) -> float:
    negatives, positives = (part[0] / part.sum() for part in _parts(of)[:2])
    mixture = (1 - prevalence[0]) * negatives + prevalence[0] * positives
    survey = of.survey[0] / of.survey.sum()
    return float(np.abs(np.cumsum(survey - mixture)).max())
