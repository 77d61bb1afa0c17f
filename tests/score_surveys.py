"""Simulated scores whose rates are known: of a calibration, and of surveys of any prevalence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from lensnet.purity.choosing import ScoreSample

__all__ = ["ScoreSurvey"]


@dataclass(frozen=True)
class ScoreSurvey:
    """Scores that are sigmoids of normal logits.

    Args:
        shift: added to the logits of the negatives.
        separation: mean logit of the positives.
    """

    shift: float = 0.0
    separation: float = 5.0

    def sample(self, rng: np.random.Generator, positives: int, negatives: int) -> ScoreSample:
        """Returns labelled scores."""
        return ScoreSample(
            _sigmoid(rng.normal(self.separation, 2.5, positives)),
            _sigmoid(rng.normal(self.shift - 5, 2.2, negatives)),
        )

    def survey(self, rng: np.random.Generator, objects: int, prevalence: float) -> np.ndarray:
        """Returns scores of objects of which nobody knows the labels, (objects,)."""
        sample = self.sample(rng, number := rng.binomial(objects, prevalence), objects - number)
        return np.concatenate([sample.positives, sample.negatives])

    def rates(self, threshold: float) -> tuple[float, float]:
        """Returns the true rates of false and of true positives."""
        logit = np.log(threshold / (1 - threshold))
        return (
            float(norm.sf(logit, self.shift - 5, 2.2)),
            float(norm.sf(logit, self.separation, 2.5)),
        )


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits)))
