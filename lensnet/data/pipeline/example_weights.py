"""How much each training image counts in the loss: by its class, or by a number of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lensnet.errors import ConfigurationError, did_you_mean

__all__ = ["class_weights", "loss_weights", "named_weights"]


def class_weights(
    labels: np.ndarray, num_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns a weight for each class that makes all classes count alike, (num_classes,) float32.

    The mean weight of the examples is 1, so that the size of the loss stays what it is.

    Args:
        labels: (N,) int, each class among them.
        num_classes: how many there are.
        weights: (N,) of the examples themselves, which these are to be multiplied by; by default 1.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    own = np.ones(len(labels)) if weights is None else weights
    totals = np.bincount(labels, weights=own, minlength=num_classes)
    found = np.zeros(num_classes)
    # A class that counts nothing cannot be made to count.
    np.divide(own.sum(), num_classes * totals, out=found, where=totals > 0)
    return found.astype(np.float32)


def named_weights(metadata: Mapping[str, np.ndarray], name: str, ids: Sequence[str]) -> np.ndarray:
    """Returns the weights (N,) float64 of training images that `data.example_weights` names.

    Args:
        metadata: numbers by name, (N,) each, NaN where an image has none of that name.
        name: `data.example_weights`.
        ids: of the images.

    Raises:
        ConfigurationError: there is no such number, not of all images, or one that is no weight.
    """
    key = "data.example_weights"
    if name not in metadata:
        known = f"Known: {', '.join(metadata)}." if metadata else "None is known of any number."
        raise ConfigurationError(
            f'{key}: the training images have no number "{name}".{did_you_mean(name, metadata)} '
            f"{known}",
            key=key,
        )
    values = metadata[name]
    for wrong, words in (
        (np.isnan(values), "lack it"),
        (~(values >= 0) | np.isinf(values), "have one that is below 0 or not finite"),
    ):
        if wrong.any():
            raise ConfigurationError(
                f"{key}: {int(wrong.sum())} of {len(values)} training images {words}, such as "
                f'"{ids[int(np.argmax(wrong))]}". Each needs a number "{name}" of 0 or more.',
                key=key,
            )
    if not values.any():
        raise ConfigurationError(f'{key}: "{name}" is 0 of all training images.', key=key)
    return values


def loss_weights(
    labels: np.ndarray, balanced_classes: int, values: np.ndarray | None
) -> np.ndarray | None:
    """Returns the weight of each training image in the loss, (N,) float32, their mean being 1.

    Args:
        labels: (N,), class numbers, or targets where no class is balanced.
        balanced_classes: how many classes are to count alike; 0 where they are left as they are.
        values: (N,) weights of the images themselves, of any scale; None for 1.

    Returns:
        None where all count alike.

    >>> loss_weights(np.array([0, 0, 1]), 2, np.array([1.0, 3.0, 4.0])).tolist()
    [0.375, 1.125, 1.5]
    """
    if balanced_classes:
        factors = class_weights(labels, balanced_classes, values)[labels]
        if values is None:
            return factors
        # The mean of these products is that of the values.
        values = values * factors
    if values is None:
        return None
    return np.asarray(values / values.mean(), np.float32)
