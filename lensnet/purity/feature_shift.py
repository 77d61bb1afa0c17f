"""Do the images of a survey look to the network like those of the calibration?

A classifier is taught to tell the features of one from those of the other; if it can, they differ
(Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests", arXiv:1610.06545). It learns
from half of either sample and is tested on the other half by the ranks of its answers (Mann &
Whitney 1947), whose p-value is exact whatever the classifier has learned.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu  # type: ignore[import-untyped]

__all__ = ["FeatureTest", "compare_features"]

# More tell no more of a difference that matters, and cost time.
_MOST_IMAGES = 4000
_MOST_COMPONENTS = 64
LEAST_IMAGES = 40
"""Of fewer images in either sample nothing is said."""


@dataclass(frozen=True)
class FeatureTest:
    """Whether features differ.

    Attributes:
        p_value: how often two samples of one kind would be told apart so well.
        separation: area under the ROC curve with which they are told apart; 0.5 where they are
            alike.
        images: of each, on which it was tested.
    """

    p_value: float
    separation: float
    images: tuple[int, int]


def compare_features(
    calibration: NDArray[np.floating],
    is_positive: NDArray[np.bool_],
    survey: NDArray[np.floating],
    prevalence: float,
    *,
    seed: int = 0,
) -> FeatureTest:
    """Tests the features of a survey against those of the calibration.

    The calibration, which has far more of what is looked for than the sky, is first thinned out to
    the stated prevalence.

    Args:
        calibration: features, (M, D).
        is_positive: which of them are of what is looked for, (M,).
        survey: features, (N, D).
        prevalence: the stated one.
        seed: of the random halves.

    Raises:
        ValueError: there are too few images, or the features are of different lengths.
    """
    if calibration.shape[1] != survey.shape[1]:
        raise ValueError(
            f"features of {calibration.shape[1]} and of {survey.shape[1]} numbers are not of one "
            "network"
        )
    random = np.random.default_rng(seed)
    known = random.permutation(_at_prevalence(is_positive, prevalence, random))[:_MOST_IMAGES]
    others = random.permutation(len(survey))[:_MOST_IMAGES]
    if min(len(known), len(others)) < LEAST_IMAGES:
        raise ValueError(
            f"{len(known)} images of the calibration and {len(others)} of the survey are too few "
            f"to compare features: {LEAST_IMAGES} of each are needed"
        )
    return _tell_apart(
        np.asarray(calibration[known], np.float64), np.asarray(survey[others], np.float64), seed
    )


def _at_prevalence(
    is_positive: NDArray[np.bool_], prevalence: float, random: np.random.Generator
) -> NDArray[np.intp]:
    """Places of all negatives, and of as many positives as belong to them."""
    negatives, positives = np.flatnonzero(~is_positive), np.flatnonzero(is_positive)
    odds = prevalence / (1 - prevalence)
    if len(positives) < len(negatives) * odds:
        negatives = random.permutation(negatives)[: int(len(positives) / odds)]
    number = min(int(random.binomial(len(negatives), min(odds, 1.0))), len(positives))
    if odds > 1:
        number = min(round(len(negatives) * odds), len(positives))
    return np.concatenate([negatives, random.permutation(positives)[:number]])


def _tell_apart(known: NDArray[np.float64], others: NDArray[np.float64], seed: int) -> FeatureTest:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    halves = [(sample[::2], sample[1::2]) for sample in (known, others)]
    learned = np.concatenate([halves[0][0], halves[1][0]])
    truth = np.repeat([0, 1], [len(halves[0][0]), len(halves[1][0])])
    components = min(_MOST_COMPONENTS, learned.shape[1], len(learned) // 4)
    classifier = make_pipeline(
        StandardScaler(),
        PCA(components, random_state=seed),
        StandardScaler(),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=200),
    )
    with warnings.catch_warnings():
        # Stopped early it is as valid a classifier.
        warnings.simplefilter("ignore")
        classifier.fit(learned, truth)
    of_known, of_others = (classifier.decision_function(half[1]) for half in halves)
    found = mannwhitneyu(of_others, of_known, alternative="greater")
    separation = float(found.statistic) / (len(of_known) * len(of_others))
    return FeatureTest(float(found.pvalue), separation, (len(of_known), len(of_others)))
