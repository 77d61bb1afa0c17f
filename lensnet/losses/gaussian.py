"""The likelihood of a target under a Gaussian whose width is predicted, too."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

__all__ = ["GaussianNegativeLogLikelihood"]


@keras.saving.register_keras_serializable(package="lensnet")
class GaussianNegativeLogLikelihood(keras.losses.Loss):
    """`-log N(y; m, v)`, where the network gives the mean m and the logarithm s of the variance v.

    `((y - m)^2 exp(-s) + s + log(2 pi)) / 2` (Nix & Weigend 1994; in terms of s, as it is stable,
    Kendall & Gal 2017, arXiv:1703.04977, equation 8).

    Input shape:
        targets (batch, 1), outputs (batch, 2).

    Example:

    >>> loss = GaussianNegativeLogLikelihood()
    >>> round(float(loss([[1.0]], [[1.0, 0.0]])), 4)  # log(2 pi) / 2
    0.9189
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        mean, log_variance = y_pred[..., :1], y_pred[..., 1:]
        residual = ops.cast(y_true, y_pred.dtype) - mean
        squares = ops.square(residual) * ops.exp(-log_variance)
        return ops.mean((squares + log_variance + math.log(2 * math.pi)) / 2, axis=-1)
