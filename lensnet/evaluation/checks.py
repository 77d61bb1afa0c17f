"""What every measure and figure here demands of its arrays, asked in one place.

Each function returns clean arrays or raises a ``ValueError`` that says what came and what was
expected, so that a metric is never computed on scores that are not what they seem.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A softmax in bfloat16 misses one by a few thousandths; logits miss it by far more.
SUM_TOLERANCE = 1e-2
# Round-off of a float32 softmax or sigmoid.
RANGE_TOLERANCE = 1e-5

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def whole_labels(labels: ArrayLike) -> IntArray:
    """Return the labels as int64 of shape (N,); whole floats and booleans are taken too.

    Raises:
        ValueError: The array is not one-dimensional (a column (N, 1) is), or holds values that
            are not whole numbers.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"labels must be class indices of shape (N,), but came with shape {array.shape}; "
            "turn one-hot labels into indices with labels.argmax(axis=-1)"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(f"labels must be class indices (integers), but came as {array.dtype}")
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array % 1 == 0)).all():
        raise ValueError("labels must be class indices (whole numbers), but some are not")
    return array.astype(np.int64)


def finite_array(values: ArrayLike, name: str) -> FloatArray:
    """Return the values as float64.

    Raises:
        ValueError: The values are not numbers, or some are NaN or infinite.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ValueError(f"{name} must be real numbers, but came as {array.dtype}")
    array = array.astype(np.float64)
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise ValueError(f"{name} must be finite, but {bad} of {array.size} values are not")
    return array


def binary_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[IntArray, FloatArray]:
    """Return labels in {0, 1} and finite scores of any range, both of shape (N,).

    Raises:
        ValueError: A label is neither 0 nor 1, a score is not finite, or the shapes disagree.
    """
    classes = whole_labels(labels)
    values = finite_array(scores, "scores")
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != classes.shape:
        raise ValueError(
            "scores must be those of class 1, one an example: expected shape "
            f"({len(classes)},) as of the labels, but came with shape {np.shape(scores)}"
        )
    strange = sorted(set(np.unique(classes).tolist()) - {0, 1})
    if strange:
        raise ValueError(f"binary labels must be 0 or 1, but {strange[:5]} came among them")
    return classes, values


def binary_labels_and_probabilities(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[IntArray, FloatArray]:
    """Return labels in {0, 1} and probabilities of class 1, both of shape (N,).

    Raises:
        ValueError: As `binary_labels_and_scores`, or a probability lies outside [0, 1].
    """
    classes, values = binary_labels_and_scores(labels, probabilities)
    return classes, _within_unit_interval(values)


def labels_and_probabilities(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[IntArray, FloatArray]:
    """Return labels (N,) in [0, K) and probabilities (N, K) with K of at least 2.

    Raises:
        ValueError: Shapes disagree, a label is out of range, a probability is not finite or
            outside [0, 1], or a row does not sum to one within 0.01.
    """
    classes = whole_labels(labels)
    values = finite_array(probabilities, "probabilities")
    if values.ndim != 2 or values.shape[0] != len(classes) or values.shape[1] < 2:
        raise ValueError(
            f"probabilities must have shape ({len(classes)}, K) with K of at least 2 classes, "
            f"but came with shape {values.shape}"
        )
    num_classes = values.shape[1]
    if len(classes) and not (classes.min() >= 0 and classes.max() < num_classes):
        raise ValueError(
            f"labels must lie in 0..{num_classes - 1} for {num_classes} probabilities an example, "
            f"but lie in {classes.min()}..{classes.max()}"
        )
    values = _within_unit_interval(values)
    sums = values.sum(axis=1)
    off = np.abs(sums - 1) > SUM_TOLERANCE
    if off.any():
        first = int(np.argmax(off))
        raise ValueError(
            f"probabilities of an example must sum to one, but {int(off.sum())} of {len(sums)} "
            f"rows do not (row {first} sums to {sums[first]:.4g})"
        )
    return classes, values


def class_probabilities(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[IntArray, FloatArray, bool]:
    """Return labels, probabilities (N, K) and whether the input was binary.

    Probabilities of class 1 alone, (N,) or (N, 1), become the two columns (1 - p, p). A
    probability of exactly 0.5 then counts as class 0, as in Keras's `BinaryAccuracy`.
    """
    shape = np.shape(probabilities)
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        classes, positive = binary_labels_and_probabilities(labels, probabilities)
        return classes, np.stack([1 - positive, positive], axis=1), True
    classes, values = labels_and_probabilities(labels, probabilities)
    return classes, values, False


def targets_and_predictions(
    targets: ArrayLike, predictions: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return both as (N, T); a single target may come as (N,) or (N, 1), in either array.

    Raises:
        ValueError: A value is not finite or the shapes disagree. The two are never broadcast.
    """
    pair = []
    for name, values in (("targets", targets), ("predictions", predictions)):
        array = finite_array(values, name)
        if array.ndim not in (1, 2):
            raise ValueError(f"{name} must have shape (N,) or (N, T), but came as {array.shape}")
        pair.append(array[:, None] if array.ndim == 1 else array)
    if pair[0].shape != pair[1].shape:
        raise ValueError(
            f"targets {np.shape(targets)} and predictions {np.shape(predictions)} must hold the "
            "same number of examples and of targets"
        )
    return pair[0], pair[1]


def some_examples(array: NDArray[Any], what: str) -> None:
    """Raise a ValueError where there is no example to draw or to measure."""
    if not len(array):
        raise ValueError(f"{what} needs at least one example, but none came")


def names_of_classes(class_names: Sequence[str] | None, num_classes: int) -> list[str]:
    """Return one name a class; without names, "class 0", "class 1" and on.

    Raises:
        ValueError: There are more or fewer names than classes.
    """
    if class_names is None:
        return [f"class {index}" for index in range(num_classes)]
    names = [str(name) for name in class_names]
    if len(names) != num_classes:
        raise ValueError(f"expected {num_classes} class names, but {len(names)} came: {names}")
    return names


def _within_unit_interval(values: FloatArray) -> FloatArray:
    if values.size and (values.min() < -RANGE_TOLERANCE or values.max() > 1 + RANGE_TOLERANCE):
        raise ValueError(
            f"probabilities must lie in [0, 1], but lie in [{values.min():.4g}, "
            f"{values.max():.4g}]; pass logits through a sigmoid or softmax first"
        )
    return values.clip(0, 1)
