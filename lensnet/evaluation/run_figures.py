"""The figures of a finished run, by the names of their files in `figures/`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lensnet.evaluation import figures as draw

__all__ = ["figures_of_classes", "figures_of_targets"]


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
    ['roc_curve', 'confusion_matrix']
    """
    scores = outputs[:, 0] if outputs.shape[1] == 1 else outputs
    names = list(classes)
    return {
        "roc_curve": draw.roc_curve(labels, scores, names),
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
    ['regression_scatter']
    """
    drawn = {"regression_scatter": draw.regression_scatter(targets, outputs[:, 0])}
    if outputs.shape[1] > 1:
        # A sigma that single precision has rounded to zero is drawn as the smallest there is.
        sigma = np.maximum(outputs[:, 1], np.finfo(np.float32).tiny)
        drawn["pull_histogram"] = draw.pull_histogram(targets, outputs[:, 0], sigma)
    return drawn
