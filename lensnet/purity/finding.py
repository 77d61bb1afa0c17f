"""A threshold, what it yields, and whether the survey is one of which that can be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import binom  # type: ignore[import-untyped]

from lensnet.evaluation.checks import FloatArray
from lensnet.purity.bounds import Claim, purity_of_rates
from lensnet.purity.choosing import Chosen, ScoreSample, choose_threshold
from lensnet.purity.conformal import select_by_conformal
from lensnet.purity.feature_shift import FeatureTest, compare_features
from lensnet.purity.score_mixture import MixtureTest, compare_scores, histogram_edges

__all__ = ["Features", "Found", "find_threshold", "yield_of"]

# A part of what is looked for that has one and the same highest score cannot be cut any finer.
_SATURATED = 0.01


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the calibration and of the survey.

    Args:
        calibration: (M, D).
        is_positive: (M,) bool.
        survey: (N, D).
    """

    calibration: np.ndarray
    is_positive: np.ndarray
    survey: np.ndarray


@dataclass(frozen=True)
class Found:
    """What was found of a threshold.

    Attributes:
        claim: what was to be claimed.
        chosen: the threshold, or why there is none.
        yields: of it in `objects`, as `yield_of` says; {} where nobody has said how many.
        survey: what the survey's own scores say; {} without.
        warnings: why the claim may be wrong.
        refusal: why there is no threshold; "" where there is one.
    """

    claim: Claim
    chosen: Chosen
    yields: Mapping[str, Any] = field(default_factory=dict)
    survey: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refusal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Returns what `threshold.json` holds."""
        claim, chosen = self.claim, self.chosen
        completeness, *interval = chosen.completeness(claim.confidence)
        false, *of_false = chosen.false_positive_rate(claim.confidence)
        return {
            "threshold": chosen.threshold,
            "refusal": self.refusal or None,
            "warnings": list(self.warnings),
            "prevalence": claim.prevalence,
            "purity": claim.purity,
            "confidence": claim.confidence,
            "claimed_of": "a survey without end"
            if claim.objects is None
            else f"a survey of {claim.objects} objects",
            "at": chosen.at,
            "purity_at_least": chosen.purity_bound,
            "purity_estimate": float(purity_of_rates(false, completeness, claim.prevalence)),
            "completeness": {"estimate": completeness, "interval": interval},
            "false_positive_rate": {"estimate": false, "interval": of_false},
            "calibration": {
                "negatives": chosen.counts.negatives,
                "false_positives": int(chosen.counts.false[0]),
                "positives": chosen.counts.positives,
                "true_positives": int(chosen.counts.true[0]),
                "negatives_needed": chosen.needed,
            },
            "candidates": dict(self.yields) or None,
            "survey": dict(self.survey) or None,
        }


def find_threshold(
    choosing: ScoreSample,
    proving: ScoreSample,
    claim: Claim,
    survey: FloatArray | None = None,
    features: Features | None = None,
) -> Found:
    """Finds a threshold, what it yields, and what speaks against it.

    Args:
        choosing: scores that choose it.
        proving: scores that prove it.
        claim: what is to be true above it.
        survey: scores of the survey in which it is to serve, if they are known.
        features: of calibration and survey, if they are known.

    Raises:
        ValueError: a sample lacks one of the two kinds, or features do not fit each other.
    """
    chosen = choose_threshold(choosing, proving, claim)
    tests = 2 * (survey is not None) + (features is not None)
    level = (1 - claim.confidence) / max(tests, 1)
    warnings: list[str] = []
    about: dict[str, Any] = {}
    if survey is not None:
        mixture = compare_scores(
            proving,
            survey,
            histogram_edges(choosing),
            claim.prevalence,
            confidence=claim.confidence,
        )
        warnings += _mixture_warnings(mixture, claim, level)
        about = _about_survey(survey, proving, mixture, chosen, claim)
    if features is not None:
        found = compare_features(
            features.calibration, features.is_positive, features.survey, claim.prevalence
        )
        warnings += _feature_warnings(found, level)
        about["features"] = {
            "p_value": found.p_value,
            "separation": found.separation,
            "images": list(found.images),
        }
    if _is_saturated(proving, chosen):
        warnings.append(
            "Many objects share the highest score, and no threshold tells these apart. A run with "
            "evaluation.calibration, or with label smoothing, gives scores that differ."
        )
    yields = yield_of(chosen, claim) if chosen.threshold is not None and claim.objects else {}
    return Found(claim, chosen, yields, about, tuple(warnings), _refusal(chosen, claim))


def yield_of(chosen: Chosen, claim: Claim) -> dict[str, Any]:
    """Returns how many candidates to expect in `claim.objects`, with intervals.

    Half of the risk is left to the rates, known from a sample, and half to the number that a
    survey happens to have.
    """
    if claim.objects is None:
        raise ValueError("of a survey without end there is no number of candidates")
    risk, q = 1 - claim.confidence, claim.prevalence
    true = np.array(chosen.completeness(1 - risk / 2))
    false = np.array(chosen.false_positive_rate(1 - risk / 2))

    def expected(rates: FloatArray) -> dict[str, Any]:
        tail = np.array([risk / 4, 1 - risk / 4])
        ends = binom.ppf(tail, claim.objects, np.clip(rates[1:], 0, 1))
        return {
            "expected": float(claim.objects or 0) * float(rates[0]),
            "interval": [int(end) for end in ends],
        }

    return {
        "objects": claim.objects,
        **expected(q * true + (1 - q) * false),
        "true": expected(q * true),
        "false": expected((1 - q) * false),
    }


def _about_survey(
    survey: FloatArray,
    proving: ScoreSample,
    mixture: MixtureTest,
    chosen: Chosen,
    claim: Claim,
) -> dict[str, Any]:
    conformal = select_by_conformal(survey, proving.negatives, 1 - claim.purity)
    above = None if chosen.threshold is None else int(np.sum(survey >= chosen.threshold))
    return {
        "objects": len(survey),
        "candidates": above,
        "prevalence": {"estimate": mixture.prevalence, "interval": list(mixture.interval)},
        "fit_p_value": mixture.fit_p_value,
        "prevalence_p_value": mixture.prevalence_p_value,
        "distance": mixture.distance,
        "conformal": {
            "share_of_false_on_average": 1 - claim.purity,
            "candidates": conformal.number,
            "threshold": conformal.threshold,
        },
    }


def _mixture_warnings(found: MixtureTest, claim: Claim, level: float) -> list[str]:
    if found.fit_p_value <= level:
        # Of other data the proportion of a mixture means nothing.
        return [
            "The data have moved: the scores of the survey are not a mixture of those of the "
            f"calibration in any proportion (p = {found.fit_p_value:.2g}; the shares below some "
            f"score differ by up to {100 * found.distance:.2g} %). The claim holds for data like "
            "the calibration's: label some objects of the survey and name them with --calibration."
        ]
    if found.prevalence_p_value > level:
        return []
    low, high = found.interval
    is_less = found.prevalence < claim.prevalence
    then = "the purity is less than claimed" if is_less else "the claim holds all the more"
    return [
        f"The prevalence is not the stated one: the scores of the survey fit "
        f"{found.prevalence:.3g} best ({low:.2g} to {high:.2g}), not {claim.prevalence:.3g} "
        f"(p = {found.prevalence_p_value:.2g}). If so, {then}."
    ]


def _feature_warnings(found: FeatureTest, level: float) -> list[str]:
    if found.p_value > level:
        return []
    return [
        "The data have moved: by its features a classifier tells an image of the survey from one "
        f"of the calibration in {100 * found.separation:.3g} % of pairs (p = {found.p_value:.2g}). "
        "The claim holds for images like the calibration's."
    ]


def _is_saturated(proving: ScoreSample, chosen: Chosen) -> bool:
    """Whether a claim fails because what is looked for and what is not share the highest score."""
    highest = float(proving.positives.max())
    return (
        chosen.threshold is None
        and float(proving.negatives.max()) >= highest
        and float(np.mean(proving.positives == highest)) > _SATURATED
    )


def _refusal(chosen: Chosen, claim: Claim) -> str:
    if chosen.threshold is not None:
        return ""
    counts = chosen.counts
    asked = (
        f"A purity of {claim.purity:g} at a prevalence of {claim.prevalence:g} cannot be claimed "
        f"with a confidence of {claim.confidence:g}"
    )
    instead = f"What can be claimed is a purity of {chosen.purity_bound:.2g} above {chosen.at:.7g}."
    if not counts.true[0]:
        return (
            f"{asked}: of {counts.positives} positives of the calibration not one scores above its "
            "negatives. Either there are too few, or the network does not tell them apart."
        )
    if chosen.needed is not None:
        return (
            f"{asked}: the calibration has {counts.negatives} negatives, and it takes at least "
            f"{chosen.needed}, if none of them passes. Name a larger table of labelled objects "
            f"with --calibration. {instead}"
        )
    return (
        f"{asked}: {int(counts.false[0])} of {counts.negatives} negatives of the calibration pass "
        f"a threshold that {int(counts.true[0])} of {counts.positives} positives pass. {instead}"
    )
