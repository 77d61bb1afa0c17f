"""The last layers of a regression's finished model, which return to the target's own unit."""

from __future__ import annotations

import math
from typing import Any

import keras

from lensnet.config.target_transform import TargetTransform

__all__ = ["in_own_unit"]

_LN_10 = math.log(10)


def in_own_unit(outputs: Any, transform: TargetTransform) -> Any:
    """Adds Keras's own layers from what a network learned to targets in their own unit.

    Args:
        outputs: tensor (batch, 1) of transformed targets, or (batch, 2) with the logarithm of
            their variance, see `lensnet.losses.GaussianNegativeLogLikelihood`.
        transform: that was learned.

    Returns:
        tensor (batch, 1), or (batch, 2) with the standard deviation; where the logarithm of a
        target was learned, that is to first order, `sigma = ln(10) * target * sigma(log10)`.
    """
    if outputs.shape[-1] == 1:
        return _target(outputs, transform)
    target = _target(outputs[:, :1], transform)
    width = transform.std * (_LN_10 if transform.is_logarithmic else 1)
    # The root of a variance is half of its logarithm.
    sigma = _exponential(outputs[:, 1:], 0.5, math.log(width), "sigma")
    if transform.is_logarithmic:
        sigma = keras.layers.Multiply(dtype="float32", name="sigma_of_target")([target, sigma])
    return keras.layers.Concatenate(dtype="float32", name="target_and_sigma")([target, sigma])


def _target(learned: Any, transform: TargetTransform) -> Any:
    if transform.is_logarithmic:
        return _exponential(learned, transform.std * _LN_10, transform.mean * _LN_10, "target")
    return keras.layers.Rescaling(
        transform.std, offset=transform.mean, dtype="float32", name="target"
    )(learned)


def _exponential(inputs: Any, scale: float, offset: float, name: str) -> Any:
    logarithm = keras.layers.Rescaling(scale, offset=offset, dtype="float32", name=f"log_{name}")
    return keras.layers.Activation("exponential", dtype="float32", name=name)(logarithm(inputs))
