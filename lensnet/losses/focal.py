"""The focal loss, of one probability and of several classes."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["BinaryFocalCrossentropy", "CategoricalFocalCrossentropy"]


@keras.saving.register_keras_serializable(package="lensnet")
class CategoricalFocalCrossentropy(keras.losses.Loss):
    """The focal loss of exclusive classes, from logits (Lin et al. 2017, arXiv:1708.02002, eq. 4).

    `sum_k -y_k (1 - p_k)^gamma log p_k`, so that examples which are classified well already count
    for less; with gamma 0 it is the cross-entropy. Labels may be soft, smoothed or mixed. Unlike
    Keras's class of that name it takes logarithms of logits and not of rounded probabilities, so
    that what is sure and wrong still has a gradient.

    Args:
        gamma: focusing, 0 or more; the paper's is 2.
        label_smoothing: share of a label that is given to all classes alike.
        kwargs: see `keras.losses.Loss`.

    Input shape:
        labels and logits, (batch, classes).

    Example:

    >>> loss = CategoricalFocalCrossentropy(gamma=2.0)
    >>> round(float(loss([[0.0, 1.0]], [[0.0, 0.0]])), 4)  # log(2) / 4
    0.1733
    """

    def __init__(self, gamma: float = 2.0, label_smoothing: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.gamma = gamma
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        labels = ops.cast(y_true, y_pred.dtype)
        if self.label_smoothing:
            classes = y_pred.shape[-1]
            labels = labels * (1 - self.label_smoothing) + self.label_smoothing / classes
        logs = ops.log_softmax(y_pred, axis=-1)
        return ops.sum(-labels * self._focus(ops.exp(logs)) * logs, axis=-1)

    def _focus(self, probabilities: Any) -> Any:
        # A power below 1 of zero has no gradient.
        doubt = ops.maximum(1 - probabilities, keras.config.epsilon())
        return ops.power(doubt, self.gamma)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "label_smoothing": self.label_smoothing,
        }


@keras.saving.register_keras_serializable(package="lensnet")
class BinaryFocalCrossentropy(keras.losses.Loss):
    """The focal loss of one class among all, from its logit (Lin et al. 2017, arXiv:1708.02002).

    `-a y (1 - p)^gamma log p - (1 - a) (1 - y) p^gamma log(1 - p)` (equation 5), without the
    weights a and 1 - a where `alpha` is None (equation 4); with gamma 0 it is then the
    cross-entropy. Labels may be soft. It takes logarithms of logits, see
    `CategoricalFocalCrossentropy`.

    Args:
        gamma: focusing, 0 or more; the paper's is 2.
        alpha: weight of class 1, between 0 and 1; None for no weights.
        label_smoothing: share of a label that is given to both classes alike.
        kwargs: see `keras.losses.Loss`.

    Input shape:
        labels and logits, (batch, 1).

    Example:

    >>> loss = BinaryFocalCrossentropy(gamma=2.0)
    >>> round(float(loss([[1.0]], [[0.0]])), 4)  # log(2) / 4
    0.1733
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        label_smoothing: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.gamma = gamma
        self.alpha = alpha
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        labels = ops.cast(y_true, y_pred.dtype)
        if self.label_smoothing:
            labels = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        log_yes, log_no = ops.log_sigmoid(y_pred), ops.log_sigmoid(-y_pred)
        positive, negative = (1.0, 1.0) if self.alpha is None else (self.alpha, 1 - self.alpha)
        # Powers of a probability are multiples of its logarithm.
        yes = positive * labels * ops.exp(self.gamma * log_no) * log_yes
        no = negative * (1 - labels) * ops.exp(self.gamma * log_yes) * log_no
        return ops.mean(-(yes + no), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "alpha": self.alpha,
            "label_smoothing": self.label_smoothing,
        }
