"""Whether predictions are as uncertain as they say."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.stats import binom, norm  # type: ignore[import-untyped]

from lensnet.evaluation import style
from lensnet.evaluation.checks import (
    FloatArray,
    finite_array,
    some_examples,
    targets_and_predictions,
)

# In standard deviations; what lies beyond is counted in the outermost bars.
REACH = 5.0


@style.drawn
def interval_coverage(targets: ArrayLike, predictions: ArrayLike, sigma: ArrayLike) -> Figure:
    """Draw the share of targets within predicted intervals against the share that should be.

    An interval of a nominal share p reaches as many sigma to either side as hold p of a Gaussian.
    Under the diagonal the network is too sure. The band is the central 95 % of what as many
    examples would show if sigma were right.

    Args:
        targets: Shape (N,).
        predictions: The same shape.
        sigma: The same shape, above 0.

    Raises:
        ValueError: As `pull_histogram`.

    Example:
        >>> figure = interval_coverage([1.0, 2.0], [1.1, 1.8], [0.1, 0.2])
        >>> figure.axes[0].get_xlabel()
        'Nominal share of the predicted interval'
    """
    pull = np.abs(_pulls(targets, predictions, sigma))
    nominal = np.linspace(0, 1, 101)[1:-1]
    covered = np.array([np.mean(pull <= norm.ppf((1 + share) / 2)) for share in nominal])
    low, high = binom.ppf([[0.025], [0.975]], len(pull), nominal) / len(pull)
    figure = style.blank(4.9, 4.6)
    axes = figure.subplots()
    axes.fill_between(
        nominal, low, high, color=style.MUTED, alpha=0.15, linewidth=0, label="95 % by chance"
    )
    axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=1, linestyle=style.LINES[1])
    axes.plot(nominal, covered, color=style.BLUE, label="test")
    axes.set_aspect("equal")
    style.share_axis(axes, "x")
    style.share_axis(axes, "y")
    axes.set_xlabel("Nominal share of the predicted interval")
    axes.set_ylabel("Share of targets within it")
    axes.set_title(f"Coverage, {style.counted(len(pull))}")
    axes.legend(loc="upper left")
    return figure


@style.drawn
def pull_histogram(targets: ArrayLike, predictions: ArrayLike, sigma: ArrayLike) -> Figure:
    """Draw the errors of predictions in units of their sigma, against the unit Gaussian.

    A histogram wider than the Gaussian belongs to a network that is too sure.

    Args:
        targets: Shape (N,).
        predictions: The same shape.
        sigma: The same shape, above 0.

    Raises:
        ValueError: Shapes disagree, a value is not finite, a sigma is not above 0, or there is no
            example.

    Example:
        >>> figure = pull_histogram([1.0, 2.0], [1.1, 1.8], [0.1, 0.2])
        >>> figure.axes[0].get_xlabel()
        '(Predicted − true) / sigma'
    """
    pull = _pulls(targets, predictions, sigma)
    figure = style.blank(5.2, 3.9)
    axes = figure.subplots()
    edges = int(np.clip(2 * len(pull) ** (1 / 3) + 5, 11, 41))
    bins = np.linspace(-REACH, REACH, edges).tolist()
    axes.hist(
        pull.clip(-REACH, REACH), bins=bins, density=True, color=style.BLUE, alpha=0.6, label="test"
    )
    x = np.linspace(-REACH, REACH, 201)
    gaussian = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    axes.plot(x, gaussian, color=style.VERMILION, linestyle=style.LINES[1], label="unit Gaussian")
    share = np.mean(np.abs(pull) <= 1)
    axes.set_title(f"{share:.0%} within one sigma, {style.counted(len(pull))}")
    axes.set_xlabel("(Predicted − true) / sigma")
    axes.set_ylabel("Density")
    axes.legend(loc="best")
    return figure


def _pulls(targets: ArrayLike, predictions: ArrayLike, sigma: ArrayLike) -> FloatArray:
    """The errors in units of their sigma, (N,)."""
    truth, guess = targets_and_predictions(targets, predictions)
    widths = finite_array(sigma, "sigma").reshape(-1)
    some_examples(truth, "the figure")
    if widths.shape != (len(truth),) or not (widths > 0).all():
        raise ValueError(f"sigma must be above 0, one an example ({len(truth)})")
    return (guess[:, 0] - truth[:, 0]) / widths
