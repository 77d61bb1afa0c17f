"""What is measured while training, at the end of each epoch. Metrics take logits.

The measurements of a finished run are `lensnet.evaluation`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

__all__ = ["SoftmaxAUC", "create"]


@keras.saving.register_keras_serializable(package="lensnet")
class SoftmaxAUC(keras.metrics.AUC):
    """Area under the ROC curve of each class against the rest, averaged, from logits.

    Args:
        num_labels: number of classes.
        name: of the metric.

    Example:

    >>> metric = SoftmaxAUC(2)
    >>> metric.update_state([[1.0, 0.0], [0.0, 1.0]], [[5.0, -5.0], [-5.0, 5.0]])
    >>> float(metric.result())
    1.0
    """

    def __init__(self, num_labels: int, name: str = "auc", dtype: Any = None):
        super().__init__(name=name, dtype=dtype, multi_label=True, num_labels=num_labels)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        probabilities = ops.softmax(ops.convert_to_tensor(y_pred), axis=-1)
        super().update_state(y_true, probabilities, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"num_labels": self.num_labels, "name": self.name, "dtype": self.dtype}


def _classification(num_classes: int) -> list[keras.metrics.Metric]:
    return [keras.metrics.CategoricalAccuracy(name="accuracy"), SoftmaxAUC(num_classes)]


def _binary(num_classes: int) -> list[keras.metrics.Metric]:
    return [
        # The threshold of a logit: a probability of one half.
        keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
        keras.metrics.AUC(name="auc", from_logits=True),
    ]


def _regression(num_classes: int) -> list[keras.metrics.Metric]:
    return [keras.metrics.MeanAbsoluteError(name="mae")]


_METRICS: dict[str, Callable[[int], list[keras.metrics.Metric]]] = {
    "classification": _classification,
    "binary": _binary,
    "regression": _regression,
}


def create(task: str, num_classes: int) -> list[keras.metrics.Metric]:
    """Makes the metrics of a task: accuracy and AUC, or the mean absolute error.

    Example:

    >>> [metric.name for metric in create("binary", 2)]
    ['accuracy', 'auc']
    """
    return _METRICS[task](num_classes)
