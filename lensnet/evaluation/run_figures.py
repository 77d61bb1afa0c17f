"""The figures of a finished run, by the names of their files in `figures/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from lensnet.evaluation import figures as draw
from lensnet.evaluation import style

__all__ = ["figures_of_classes", "figures_of_search", "figures_of_targets", "figures_of_truth"]


def figures_of_classes(
    labels: np.ndarray, outputs: np.ndarray, images: np.ndarray, classes: Sequence[str]
) -> dict[str, Figure]:
    """Draws how a classifier ranks, errs and is calibrated.

    Args:
        labels: class indices, (N,).
        outputs: probabilities (N, K), or of class 1 alone, (N, 1).
        images: as the model takes them, (N, H, W, C).
        classes: the class names.

    Example:

    >>> images = np.random.default_rng(0).uniform(size=(4, 8, 8, 1))
    >>> scores = np.array([[0.1], [0.6], [0.4], [0.9]])
    >>> list(figures_of_classes(np.array([0, 0, 1, 1]), scores, images, ["galaxy", "lens"]))[:2]
    ['roc_curve', 'precision_recall']
    """
    scores = outputs[:, 0] if outputs.shape[1] == 1 else outputs
    names = list(classes)
    return {
        "roc_curve": draw.roc_curve(labels, scores, names),
        "precision_recall": draw.precision_recall(labels, scores, names),
        "confusion_matrix": draw.confusion_matrix(labels, scores, names),
        "reliability_diagram": draw.reliability_diagram(labels, scores),
        "score_histogram": draw.score_histogram(labels, scores, names),
        "example_gallery": draw.example_gallery(images, labels, scores, names),
    }


def figures_of_targets(
    targets: np.ndarray, outputs: np.ndarray, images: np.ndarray, classes: Sequence[str]
) -> dict[str, Figure]:
    """Draws predictions against truth.

    Args:
        targets: (N,), in any unit.
        outputs: predictions in the same unit, (N, 1), or with their sigma, (N, 2).
        images: not needed.
        classes: none.

    Example:

    >>> targets = np.array([11.0, 12.0, 13.0])
    >>> list(figures_of_targets(targets, targets[:, None], np.empty(0), ()))
    ['regression_scatter', 'residual_histogram']
    """
    drawn = {
        "regression_scatter": draw.regression_scatter(targets, outputs[:, 0]),
        "residual_histogram": draw.residual_histogram(targets, outputs[:, 0]),
    }
    if outputs.shape[1] > 1:
        # A sigma that single precision has rounded to zero is drawn as the smallest there is.
        sigma = np.maximum(outputs[:, 1], np.finfo(np.float32).tiny)
        drawn["pull_histogram"] = draw.pull_histogram(targets, outputs[:, 0], sigma)
        drawn["interval_coverage"] = draw.interval_coverage(targets, outputs[:, 0], sigma)
    return drawn


def figures_of_search(
    labels: np.ndarray, outputs: np.ndarray, classes: Sequence[str], prevalence: float | None
) -> dict[str, Figure]:
    """Draws what a search for the second class yields; nothing where a class has no example.

    Args:
        labels: 0 or 1, (N,).
        outputs: probabilities of class 1, (N, 1).
        classes: the class names.
        prevalence: of class 1 where the search is to be made; None where that is not known.

    Example:

    >>> scores = np.array([[0.1], [0.6], [0.4], [0.9]])
    >>> list(figures_of_search(np.array([0, 0, 1, 1]), scores, ["galaxy", "lens"], 0.01))
    ['found_in_top', 'purity_completeness']
    """
    if len(np.unique(labels)) < 2:
        return {}
    scores, name = outputs[:, 0], classes[1]
    drawn = {"found_in_top": draw.found_in_top(labels, scores, name)}
    if prevalence is not None:
        drawn["purity_completeness"] = draw.purity_completeness(labels, scores, prevalence, name)
    return drawn


def figures_of_truth(
    labels: np.ndarray,
    outputs: np.ndarray,
    truth: Mapping[str, np.ndarray],
    classes: Sequence[str],
) -> dict[str, Figure]:
    """Draws completeness against what is known of the images beside their class.

    Args:
        labels: class indices, (N,).
        outputs: probabilities (N, K), or of class 1 alone, (N, 1).
        truth: what is known, (N,) each, NaN where it is not; of it are drawn sizes, fluxes and
            signal-to-noise ratios, by their names.
        classes: the class names.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> truth = {"einstein_radius_arcsec": rng.uniform(size=60), "seed": np.arange(60)}
    >>> scores = rng.uniform(size=(60, 1))
    >>> list(figures_of_truth(np.ones(60, int), scores, truth, ["galaxy", "lens"]))
    ['completeness_by_truth']
    """
    wanted = {name: values for name, values in truth.items() if _is_of_interest(name)}
    is_search = outputs.shape[1] == 1
    members = labels == 1 if is_search else np.ones(len(labels), bool)
    found: dict[str, np.ndarray]
    if is_search:
        scores, others = outputs[:, 0], np.sort(outputs[labels == 0, 0])[::-1]
        found = {"score above 0.5": scores > 0.5}
        allowed = len(others) // 100
        if allowed:
            # As the metric counts: above the first galaxy that is one too many.
            found["at a false-positive rate of 1 %"] = scores > others[allowed]
        what = f"Share of {style.plain(classes[1], 20)} found"
    else:
        found = {"given the true class": outputs.argmax(axis=1) == labels}
        what = "Share given their true class"
    chosen = {name: values[members] for name, values in wanted.items()}
    try:
        figure = draw.completeness_by_truth(
            chosen, {name: hits[members] for name, hits in found.items()}, what
        )
    except ValueError:  # too little is known
        return {}
    return {"completeness_by_truth": figure}


def _is_of_interest(name: str) -> bool:
    words = name.lower()
    return any(
        word in words
        for word in ("einstein", "flux", "magnitude", "signal_to_noise", "snr", "numb_pix", "area")
    )
