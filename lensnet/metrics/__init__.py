"""What is measured while training, at the end of each epoch. Metrics take logits.

The measurements of a finished run are `lensnet.evaluation`'s.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import keras
from keras import ops

from lensnet.config.target_transform import TargetTransform
from lensnet.config.task import TaskSpec
from lensnet.registry import load_object

__all__ = [
    "SoftmaxAUC",
    "TargetMAE",
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


@keras.saving.register_keras_serializable(package="lensnet")
class TargetMAE(keras.metrics.MeanAbsoluteError):
    """Mean absolute error in a target's own unit, of targets and outputs that are transformed.

    Args:
        is_logarithmic, mean, std: as of `lensnet.config.target_transform.TargetTransform`.
        name: of the metric.

    Example:

    >>> metric = TargetMAE(std=0.5)
    >>> metric.update_state([[1.0]], [[3.0, 0.1]])  # a column after the first is no prediction
    >>> float(metric.result())
    1.0
    """

    def __init__(
        self,
        is_logarithmic: bool = False,
        mean: float = 0.0,
        std: float = 1.0,
        name: str = "mae",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.transform = TargetTransform(is_logarithmic, mean, std)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        columns = (ops.convert_to_tensor(values)[..., :1] for values in (y_true, y_pred))
        super().update_state(*map(self.transform.in_own_unit, columns), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**asdict(self.transform), "name": self.name, "dtype": self.dtype}


def regression_metrics(
    num_classes: int = 0, transform: TargetTransform | None = None
) -> list[keras.metrics.Metric]:
    """Makes the metric of a quantity, in its own unit.

    Args:
        num_classes: none; metrics of all tasks are made alike.
        transform: what is learned of the quantity; None for the quantity itself.

    Example:

    >>> [metric.name for metric in regression_metrics()]
    ['mae']
    """
    return [TargetMAE(**asdict(transform or TargetTransform()))]


def create(
    task: TaskSpec, num_classes: int, transform: TargetTransform | None = None
) -> list[keras.metrics.Metric]:
    """Makes the metrics of a task.

    Args:
        task: the task.
        num_classes: of the data, 0 where they have targets.
        transform: what is learned of the targets.

    Example:

    >>> from lensnet import registry
    >>> [metric.name for metric in create(registry.tasks.get("binary"), 2)]
    ['accuracy', 'auc']
    """
    make = load_object(task.training_metrics)
    return make(num_classes) if task.predicts_classes else make(num_classes, transform)
