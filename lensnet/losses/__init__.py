"""Losses by the name they have in an experiment file. They take logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from lensnet.config.sections import Section
from lensnet.losses.focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
from lensnet.losses.gaussian import GaussianNegativeLogLikelihood

__all__ = [
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
    "GaussianNegativeLogLikelihood",
    "create",
]

_LOSSES: dict[str, Callable[..., keras.losses.Loss]] = {
    "categorical_crossentropy": lambda label_smoothing: keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=label_smoothing
    ),
    "binary_crossentropy": lambda label_smoothing: keras.losses.BinaryCrossentropy(
        from_logits=True, label_smoothing=label_smoothing
    ),
    "categorical_focal_crossentropy": CategoricalFocalCrossentropy,
    "binary_focal_crossentropy": BinaryFocalCrossentropy,
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "gaussian_nll": GaussianNegativeLogLikelihood,
}


def create(section: Section) -> keras.losses.Loss:
    """Makes the loss that `training.loss` describes.

    Example:

    >>> from lensnet.config.sections import BinaryCrossentropy
    >>> create(BinaryCrossentropy(label_smoothing=0.1)).label_smoothing
    0.1
    """
    options: dict[str, Any] = section.model_dump()
    return _LOSSES[options.pop("name")](**options)
