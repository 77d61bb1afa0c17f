"""How the score, or the prediction of a regression, moves as the image rotates."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lensnet.evaluation import style
from lensnet.evaluation.invariance import Invariance


@style.drawn
def rotation_profile(invariance: Invariance) -> Figure:
    """Draw the change of score against the angle by which the images are rotated.

    One score an image: the probability of the class it is given when unrotated (of class 1 for a
    single sigmoid output), or the prediction of a regression. The band holds the central 90 % of
    images, the line is their median, the dashed line the mean size of the change. The axis spans
    at least one percentage point (one hundredth of the target's standard deviation), so that an
    invariant model shows as the flat line it is.

    Args:
        invariance: What `rotation_report` returned.

    Example:
        >>> import numpy as np
        >>> from lensnet.evaluation.invariance import rotation_report
        >>> images = np.random.default_rng(0).uniform(size=(8, 6, 6, 1)).astype(np.float32)
        >>> figure = rotation_profile(rotation_report(lambda x: x[:, 0, 0], images))
        >>> figure.axes[0].get_xlabel()
        'Angle of the rotation (degrees)'
    """
    regression = invariance.target_std is not None
    change = _signed_change(invariance)
    if regression:
        what, unit, least = "prediction", "standard deviations of the target", 0.01
        spread = f"{invariance.rotation_std:.2g} standard deviations"
    else:
        change = 100 * change
        what, unit, least = "score", "percentage points", 1.0
        spread = f"{100 * invariance.rotation_std:.2f} %"
    low, median, high = np.percentile(change, [5, 50, 95], axis=1)
    size = np.abs(change).mean(axis=1)

    # The rotation by 360 degrees is the one by 0.
    angles = np.append(invariance.angles, 360.0)
    low, median, high, size = (np.append(line, line[0]) for line in (low, median, high, size))
    few = len(angles) <= 40
    figure = style.blank(6.2, 4.2)
    axes = figure.subplots()
    axes.fill_between(
        angles, low, high, color=style.BLUE, alpha=0.18, linewidth=0, label="central 90 % of images"
    )
    axes.plot(
        angles, median, color=style.BLUE, marker="o" if few else "", markersize=4, label="median"
    )
    axes.plot(
        angles,
        size,
        color=style.VERMILION,
        linestyle=style.LINES[1],
        marker="s" if few else "",
        markersize=4,
        label="mean size of the change",
    )
    reach = max(1.12 * float(np.abs([low, high, size]).max()), least)
    axes.set_ylim(-reach, reach)
    axes.set_xlim(-6, 366)
    axes.set_xticks(np.arange(0, 361, 45))
    axes.set_xlabel("Angle of the rotation (degrees)")
    axes.set_ylabel(f"Change of {what}\n({unit})")
    axes.set_title(f"{what.capitalize()}s move by {spread} when the image rotates")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    largest = float(np.abs(change).max())
    if largest < 0.02 * least:
        axes.text(
            0.5,
            0.9,
            f"largest change of any image: {largest:.1g} {unit}",
            transform=axes.transAxes,
            ha="center",
            color=style.MUTED,
        )
    return figure


def _signed_change(invariance: Invariance) -> NDArray[np.float64]:
    """Return the change of each image's score at each angle: (R, N), or (R, N * T)."""
    outputs = invariance.outputs
    if invariance.target_std is not None:
        change = (outputs - outputs[0]) / invariance.target_std
        return change.reshape(len(outputs), -1)
    predicted = outputs[0].argmax(axis=1)
    score = outputs[:, np.arange(outputs.shape[1]), predicted]
    return score - score[0]
