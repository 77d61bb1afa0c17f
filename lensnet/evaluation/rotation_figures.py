"""How the score, or the prediction of a regression, moves as the image rotates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lensnet.evaluation import style
from lensnet.evaluation.image_figures import display_image
from lensnet.evaluation.image_rotation import rotated_images
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
    count = style.counted(invariance.outputs.shape[1])
    axes.set_title(f"{what.capitalize()}s move by {spread}, {count}")
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


@style.drawn
def rotation_accuracy(invariance: Invariance, labels: ArrayLike) -> Figure:
    """Draw the spread of the answers, and how right they are, against the angle.

    Args:
        invariance: What `rotation_report` returned.
        labels: Class indices, or targets of a regression, shape (N,).

    Example:
        >>> import numpy as np
        >>> from lensnet.evaluation.invariance import rotation_report
        >>> images = np.random.default_rng(0).uniform(size=(8, 6, 6, 1)).astype(np.float32)
        >>> figure = rotation_accuracy(rotation_report(lambda x: x[:, 0, 0], images), [0, 1] * 4)
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['Root mean square change\\nof the score (percentage points)', 'Accuracy']
    """
    return rotation_comparison(
        {"": (invariance.angles, invariance.rms_change, _truth(invariance, labels))},
        regression=invariance.target_std is not None,
        images=invariance.outputs.shape[1],
    )


Curves = tuple[ArrayLike, ArrayLike, ArrayLike]


@style.drawn
def rotation_comparison(runs: Mapping[str, Curves], *, regression: bool, images: int) -> Figure:
    """Draw the same of several runs.

    Args:
        runs: by name: angles (R,), root mean square changes (R,), accuracy or RMSE (R,).
        regression: whether they predict a quantity.
        images: how many were rotated.

    Example:
        >>> curves = ([0, 90, 180, 270], [0, 0.01, 0.02, 0.01], [0.9, 0.9, 0.88, 0.9])
        >>> runs = {"plain": curves, "c4": curves}
        >>> figure = rotation_comparison(runs, regression=False, images=12)
        >>> figure.axes[1].get_ylabel()
        'Accuracy'
    """
    figure = style.blank(8.6, 4.0)
    left, right = figure.subplots(1, 2)
    what = (
        "prediction (standard\ndeviations of the target)"
        if regression
        else ("score (percentage points)")
    )
    highest = 0.0
    for index, (name, (angles, changes, truth)) in enumerate(runs.items()):
        # The rotation by 360 degrees is the one by 0.
        x = np.append(np.asarray(angles, float), 360.0)
        look = {
            "color": style.color(index),
            "linestyle": style.LINES[index % len(style.LINES)],
            "marker": "o" if len(x) <= 40 else "",
            "markersize": 4,
            "label": style.plain(name) or None,
        }
        factor = 1.0 if regression else 100.0
        y = factor * np.append(np.asarray(changes, float), np.asarray(changes, float)[0])
        highest = max(highest, float(y.max()))
        left.plot(x, y, **look)
        right.plot(x, np.append(np.asarray(truth, float), np.asarray(truth, float)[0]), **look)
    # A steady model shows as the flat line it is.
    left.set_ylim(0, max(1.12 * highest, 0.01 if regression else 1.0))
    low, high = right.get_ylim()
    if high - low < 0.02 and not regression:
        right.set_ylim(low - 0.01, high + 0.01)
    left.set_ylabel(f"Root mean square change\nof the {what}")
    right.set_ylabel("RMSE (the target's unit)" if regression else "Accuracy")
    for axes in (left, right):
        axes.set_xlim(-6, 366)
        axes.set_xticks(np.arange(0, 361, 45))
        axes.set_xlabel("Angle of the rotation (degrees)")
    left.set_title(f"Spread, {style.counted(images)}")
    right.set_title("How right at each angle")
    if any(runs):
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@style.drawn
def rotation_worst(
    invariance: Invariance,
    images: Any,
    labels: ArrayLike,
    class_names: Sequence[str] = (),
    *,
    rows: int = 4,
    columns: int = 8,
) -> Figure:
    """Show the images whose answers change most, as they are rotated, with their answers.

    Args:
        invariance: What `rotation_report` returned.
        images: Array or memory map (N, H, W, C), as they were rotated.
        labels: Class indices, or targets of a regression, shape (N,).
        class_names: One name a class; () for a regression.
        rows: How many images.
        columns: At how many angles, at most.

    Example:
        >>> import numpy as np
        >>> from lensnet.evaluation.invariance import rotation_report
        >>> images = np.random.default_rng(0).uniform(size=(8, 6, 6, 1)).astype(np.float32)
        >>> report = rotation_report(lambda x: x[:, 0, 0], images)
        >>> figure = rotation_worst(report, images, [0, 1] * 4, ["galaxy", "lens"])
        >>> len(figure.axes)
        16
    """
    spread = invariance.per_image()["rotation_std"]
    worst = np.argsort(-spread, kind="stable")[:rows]
    angles = invariance.angles
    shown = np.arange(0, len(angles), -(-len(angles) // columns))
    flips = None if invariance.target_std is not None else invariance.changes_class()
    truth = np.asarray(labels)
    figure = style.blank(1.5 * len(shown) + 0.4, 1.95 * len(worst) + 0.6)
    grid = figure.subplots(len(worst), len(shown), squeeze=False)
    for row, index in enumerate(worst):
        image = np.asarray(images[int(index)], dtype=np.float32)[None]
        rotated = list(rotated_images(image, len(angles)))
        for column, at in enumerate(shown):
            axes = grid[row, column]
            axes.set_axis_off()
            picture = display_image(rotated[at][0])
            axes.imshow(picture, interpolation="nearest", cmap="gray", vmin=0, vmax=1)
            changed = flips is not None and bool(flips[at, index])
            axes.set_title(
                f"{angles[at]:g}°\n{_answer(invariance, int(at), int(index), class_names)}",
                fontsize=7.5,
                fontweight="bold" if changed else "normal",
                color=style.VERMILION if changed else style.INK,
                pad=3,
            )
        known = (
            f"true: {style.plain(class_names[int(truth[index])], 14)}"
            if len(class_names)
            else f"true: {truth[index]:.4g}"
        )
        grid[row, 0].text(0, -0.06, known, transform=grid[row, 0].transAxes, fontsize=7, va="top")
    figure.suptitle(
        f"Largest spread, {len(worst)} of {style.counted(len(spread))}", x=0.012, ha="left"
    )
    return figure


def _answer(invariance: Invariance, at: int, index: int, class_names: Sequence[str]) -> str:
    """What is said of an image at an angle."""
    given = invariance.outputs[at, index]
    if invariance.target_std is not None:
        return f"{given[0]:.4g}"
    both = np.array([1 - given[0], given[0]]) if len(given) == 1 else given
    best = int(both.argmax())
    name = style.plain(class_names[best], 12) if len(class_names) == len(both) else f"class {best}"
    return f"{name} {both[best]:.2f}"


def _truth(invariance: Invariance, labels: ArrayLike) -> ArrayLike:
    return next(iter(invariance.truth_by_angle(labels).values()))


def _signed_change(invariance: Invariance) -> NDArray[np.float64]:
    """Return the change of each image's score at each angle: (R, N), or (R, N * T)."""
    outputs = invariance.outputs
    if invariance.target_std is not None:
        change = (outputs - outputs[0]) / invariance.target_std
        return change.reshape(len(outputs), -1)
    predicted = outputs[0].argmax(axis=1)
    score = outputs[:, np.arange(outputs.shape[1]), predicted]
    return score - score[0]
