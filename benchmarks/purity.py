"""Whether what `lensnet threshold` claims is true, over simulated surveys.

python benchmarks/purity.py [--rounds 1000] [--only claim]
                            [--output benchmarks/results/purity.json]

`claim/...`: scores are drawn of a calibration, a threshold is chosen, and a survey is drawn of the
distribution whose rates are known. Counted is how often the purity is below the claimed one, in
the survey itself or in one without end; how often a threshold is refused; and how often the stated
intervals of candidates and completeness hold what comes. `false_alarm`, `prevalence/...`: how
often a warning comes where nothing has moved, and where the prevalence has. `psf/...`: a network
is trained on simulated lenses and companions of the KiDS survey, and its scores of images with
another seeing are the survey's. Everything follows from the seeds.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from command_line import benchmark_parser, selected
from reporting import Results, environment

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from score_surveys import ScoreSurvey  # noqa: E402

from lensnet.purity.bounds import Claim, purity_of_rates  # noqa: E402
from lensnet.purity.choosing import ScoreSample, choose_threshold  # noqa: E402
from lensnet.purity.conformal import select_by_conformal  # noqa: E402
from lensnet.purity.finding import yield_of  # noqa: E402
from lensnet.purity.score_mixture import compare_scores, histogram_edges  # noqa: E402

PACKAGES = ("lensnet", "numpy", "scipy", "keras", "tensorflow")
LEVEL = 0.05
DRAWINGS = 199

# Prevalence, purity, objects of the survey, positives and negatives of each half.
CLAIMS: dict[str, tuple[float, float, int | None, int, int]] = {
    "claim/rare": (5e-4, 0.5, None, 1000, 20_000),
    "claim/rare_survey": (5e-4, 0.5, 1_000_000, 1000, 40_000),
    "claim/common_survey": (1e-2, 0.8, 50_000, 500, 10_000),
    "claim/few_negatives": (5e-3, 0.5, 100_000, 200, 2000),
}
# By how much the true prevalence differs from the stated one, objects of the survey.
PREVALENCES = {
    "false_alarm": (1.0, 100_000),
    "prevalence/x4": (4.0, 100_000),
    "prevalence/quarter": (0.25, 100_000),
}
STATED = 2e-3
# Full widths at half maximum of the seeing, arcseconds; the first is that of the training.
SEEING = {"psf/0.70": 0.70, "psf/0.85": 0.85, "psf/1.00": 1.00}
IN_SURVEY, OF_SEEING = 5000, 0.01


def measure_claim(name: str, rounds: int) -> dict[str, Any]:
    """How often a claim is false, and the intervals do not hold what comes."""
    prevalence, purity, objects, positives, negatives = CLAIMS[name]
    claim = Claim(prevalence, purity, 0.95, objects)
    model, rng = ScoreSurvey(), np.random.default_rng(1)
    given = fails = below = candidates_held = completeness_held = 0
    found_shares, needed = [], 0
    for _ in range(rounds):
        first, second = (model.sample(rng, positives, negatives) for _ in range(2))
        chosen = choose_threshold(first, second, claim)
        needed += chosen.needed is not None
        if chosen.threshold is None:
            continue
        given += 1
        false_rate, true_rate = model.rates(chosen.threshold)
        found_shares.append(true_rate)
        below += bool(purity_of_rates(false_rate, true_rate, prevalence) < purity)
        _, low, high = chosen.completeness(0.95)
        completeness_held += low <= true_rate <= high
        size = objects or 1_000_000
        lenses = rng.binomial(size, prevalence)
        true = rng.binomial(lenses, true_rate)
        false = rng.binomial(size - lenses, false_rate)
        fails += bool(true < purity * (true + false))
        low, high = yield_of(chosen, dataclasses.replace(claim, objects=size))["interval"]
        candidates_held += low <= true + false <= high
    return {
        "surveys": rounds,
        "thresholds given": given,
        "refused for negatives": needed,
        "purity of survey fails": fails / max(given, 1),
        "purity without end fails": below / max(given, 1),
        "candidates in interval": candidates_held / max(given, 1),
        "completeness in interval": completeness_held / max(given, 1),
        "median completeness": float(np.median(found_shares)) if found_shares else None,
    }


def measure_conformal(rounds: int) -> dict[str, Any]:
    """The mean share of false ones among those selected by conformal p-values."""
    model, rng, shares = ScoreSurvey(), np.random.default_rng(4), []
    for _ in range(rounds):
        known = model.sample(rng, 0, 10_000).negatives
        lenses, others = model.sample(rng, 200, 0).positives, model.sample(rng, 0, 20_000).negatives
        found = select_by_conformal(np.concatenate([lenses, others]), known, 0.5)
        false = np.sum(others >= found.threshold) if found.number else 0
        shares.append(float(false) / max(found.number, 1))
    error = float(np.std(shares) / np.sqrt(rounds))
    return {"surveys": rounds, "stated": 0.5, "mean share": float(np.mean(shares)), "error": error}


def _alarms(tests: Iterable[Any]) -> dict[str, Any]:
    """The shares of surveys with a warning, as `lensnet threshold` gives them: each test at half
    of the level."""
    found = list(tests)
    fit = np.array([of.fit_p_value for of in found]) <= LEVEL / 2
    moved = np.array([of.prevalence_p_value for of in found]) <= LEVEL / 2
    return {
        "surveys": len(found),
        "warned": float(np.mean(fit | moved)),
        "data have moved": float(fit.mean()),
        "prevalence has moved": float(moved.mean()),
        "median estimate": float(np.median([of.prevalence for of in found])),
    }


def measure_prevalence(name: str, rounds: int) -> dict[str, Any]:
    """How often a warning comes, where the prevalence is another than stated."""
    factor, objects = PREVALENCES[name]
    model, rng = ScoreSurvey(), np.random.default_rng(2)
    tests = []
    for seed in range(rounds):
        first, second = (model.sample(rng, 1000, 20_000) for _ in range(2))
        survey = model.survey(rng, objects, STATED * factor)
        edges = histogram_edges(first)
        tests.append(compare_scores(second, survey, edges, STATED, drawings=DRAWINGS, seed=seed))
    truth = STATED * factor
    held = np.mean([of.interval[0] <= truth <= of.interval[1] for of in tests])
    return {**_alarms(tests), "in interval": float(held)}


class SeeingScores:
    """Scores of a small network for images with several seeings.

    Args:
        folder: where its run goes.
    """

    TRAINING, HALF = 2000, 6000

    def __init__(self, folder: Path):
        from lensnet.config import Experiment
        from lensnet.prediction import Predictor
        from lensnet.training import fit

        content = {
            "name": "seeing",
            "task": "binary",
            "data": {
                "dataset": "lens_finding/simulated",
                "data_dir": str(folder / "data"),
                "options": {"image_size": 48, "examples_per_class": self.TRAINING},
            },
            "model": {"backbone": "lens_cnn", "symmetry": "none", "width": 0.25},
            "training": {"epochs": 6, "batch_size": 64},
            "tracking": {"tensorboard": False},
        }
        run = fit(Experiment.model_validate(content), folder / "run")
        self.predictor = Predictor.open(run.path)

    def pool(self, fwhm: float, lenses: int, others: int, seed: int) -> ScoreSample:
        """Scores of new images."""
        return ScoreSample(
            self._scores(fwhm, "lens", lenses, seed), self._scores(fwhm, "nonlens", others, seed)
        )

    def _scores(self, fwhm: float, name: str, number: int, seed: int) -> np.ndarray:
        from lensnet.simulation import KIDS_R_BAND, LensFindingSimulator, simulate_many

        observation = dataclasses.replace(
            KIDS_R_BAND,
            psf_fwhm_mean_arcsec=fwhm,
            psf_fwhm_range_arcsec=(fwhm - 0.2, fwhm + 0.25),
        )
        simulator = LensFindingSimulator(image_size=48, observation=observation)
        jobs = [(name, index, seed) for index in range(number)]
        images = [made.image for made in simulate_many(simulator, jobs)]
        parts = [
            self.predictor.scores(np.stack(images[at : at + 256]))[:, 1]
            for at in range(0, number, 256)
        ]
        return np.concatenate(parts).astype(np.float64)


def measure_seeing(source: SeeingScores, fwhm: float, rounds: int) -> dict[str, Any]:
    """How often a warning comes where the survey has a seeing of its own."""
    rng, half = np.random.default_rng(3), SeeingScores.HALF
    known = source.pool(SEEING["psf/0.70"], 2200, 2 * half + IN_SURVEY, seed=101)
    moved = None if fwhm == SEEING["psf/0.70"] else source.pool(fwhm, 200, IN_SURVEY, seed=202)
    tests = []
    for seed in range(rounds):
        ours, others = rng.permutation(known.positives), rng.permutation(known.negatives)
        first = ScoreSample(ours[:1000], others[:half])
        second = ScoreSample(ours[1000:2000], others[half : 2 * half])
        # Where nothing has moved the survey is the rest of the same images.
        rest = moved or ScoreSample(ours[2000:], others[2 * half :])
        lenses = min(rng.binomial(IN_SURVEY, OF_SEEING), len(rest.positives))
        survey = np.concatenate(
            [
                rng.permutation(rest.positives)[:lenses],
                rng.choice(rest.negatives, IN_SURVEY - lenses, replace=moved is not None),
            ]
        )
        edges = histogram_edges(first)
        tests.append(compare_scores(second, survey, edges, OF_SEEING, drawings=DRAWINGS, seed=seed))
    return _alarms(tests)


def main() -> None:
    parser = benchmark_parser(__doc__ or "", "purity.json", 1000)
    arguments = parser.parse_args()
    names = selected([*CLAIMS, "conformal", *PREVALENCES, *SEEING], arguments)
    results = Results(arguments.output, {"environment": environment(PACKAGES)})
    source: SeeingScores | None = None
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            start = time.monotonic()
            if name in CLAIMS:
                row = measure_claim(name, arguments.rounds)
            elif name == "conformal":
                row = measure_conformal(min(arguments.rounds, 300))
            elif name in PREVALENCES:
                row = measure_prevalence(name, min(arguments.rounds, 300))
            else:
                source = source or SeeingScores(Path(folder))
                row = measure_seeing(source, SEEING[name], min(arguments.rounds, 100))
            results.add("cells", {"cell": name, **row})
            print(f"{name}: {row}, {time.monotonic() - start:.0f} s", flush=True)
    results.close()


if __name__ == "__main__":
    main()
