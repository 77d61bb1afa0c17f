"""What is measured while training, at the end of each epoch. Metrics take logits.

The measurements of a finished run are `lensnet.evaluation`'s.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.config.task import TaskSpec
from lensnet.registry import load_object

__all__ = [
    "SoftmaxAUC",
    "binary_metrics",
    "classification_metrics",
    "create",
    "regression_metrics",
]


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


def classification_metrics(num_classes: int) -> list[keras.metrics.Metric]:
    """Makes the metrics of exclusive classes, against one-hot labels.

    Example:

    >>> [metric.name for metric in classification_metrics(3)]
    ['accuracy', 'auc']
    """
    return [keras.metrics.CategoricalAccuracy(name="accuracy"), SoftmaxAUC(num_classes)]


def binary_metrics(num_classes: int = 2) -> list[keras.metrics.Metric]:
    """Makes the metrics of one class among all, against labels 0 and 1.

    Example:

    >>> [metric.name for metric in binary_metrics()]
    ['accuracy', 'auc']
    """
    return [
        # The threshold of a logit: a probability of one half.
        keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
        keras.metrics.AUC(name="auc", from_logits=True),
    ]


def regression_metrics(num_classes: int = 0) -> list[keras.metrics.Metric]:
    """Makes the metric of a quantity, in standard deviations of its target.

    Example:

    >>> [metric.name for metric in regression_metrics()]
    ['mae']
    """
    return [keras.metrics.MeanAbsoluteError(name="mae")]


def create(task: TaskSpec, num_classes: int) -> list[keras.metrics.Metric]:
    """Makes the metrics of a task.

    Args:
        task: the task.
        num_classes: of the data, 0 where they have targets.

    Example:

    >>> from lensnet import registry
    >>> [metric.name for metric in create(registry.tasks.get("binary"), 2)]
    ['accuracy', 'auc']
    """
    return load_object(task.training_metrics)(num_classes)
