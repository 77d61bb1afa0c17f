"""What every part must know of a task: what is learned, and how it is measured and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["TaskSpec"]


@dataclass(frozen=True)
class TaskSpec:
    """One value of the key `task`.

    It holds names alone, so that a configuration is checked without a framework. What a name of
    the form `"module:object"` stands for is imported where it is used, by
    `lensnet.registry.load_object`.

    Args:
        name: the name in `task`.
        learns: what the data must bring.
        output_per_class: whether the network has an output for each class, and labels are one-hot;
            else both are one number.
        num_classes: how many classes the data must have; None for two or more.
        loss: the name in `training.loss` that is the default.
        other_losses: names that fit as well.
        by_loss: what is otherwise with some of these, as the whole specification.
        training_metrics: `"module:function"`, from the number of classes to the Keras metrics
            measured in each epoch; for a task that learns targets, from 0 and the
            `lensnet.config.target_transform.TargetTransform`.
        monitors: the columns of history.csv that can choose the best epoch, each with whether the
            smallest ("min") or the largest value ("max") is best.
        activation: what turns the network's outputs into probabilities; None where they are
            standardised targets, which are returned to their unit.
        output_name: what an export calls its output.
        outputs_per_target: numbers that the network gives for a target; the first is the target.
        output_columns: where an export is to give each column of the output by itself, their names.
        columns: `"module:class"` of the columns of predictions.csv and of scores, see
            `lensnet.prediction.columns`.
        metrics: `"module:function"`, from the labels or targets (N,) and the outputs (N, K) of the
            finished model to the metrics of metrics.json, or to those that the keyword `only`
            names.
        resampled: `"module:function"`, from the same to what gives these metrics for many drawings
            of the examples, see `lensnet.evaluation.resampled_metrics`; None where they get no
            interval.
        figures: `"module:function"`, from labels, outputs, images and class names to the figures
            by name, see `lensnet.evaluation.run_figures`.
        warnings: `"module:function"`, from labels or targets (N,), outputs (N, K) and class names
            to what must be said beside the metrics, see `lensnet.evaluation.caveats`; None where
            nothing is.
        headline: the metrics that a report shows first.
        rotation_sentence: what a report says of `rotation_std`, which stands for `{percent}`.
        refused_augmentations: the augmentations after which a label or target is no longer true,
            and why.
    """

    name: str
    learns: Literal["classes", "targets"]
    output_per_class: bool
    loss: str
    training_metrics: str
    monitors: Mapping[str, Literal["min", "max"]]
    activation: str | None
    output_name: str
    columns: str
    metrics: str
    figures: str
    headline: tuple[str, ...]
    rotation_sentence: str
    resampled: str | None = None
    warnings: str | None = None
    num_classes: int | None = None
    refused_augmentations: Mapping[str, str] = field(default_factory=dict)
    other_losses: tuple[str, ...] = ()
    by_loss: Mapping[str, TaskSpec] = field(default_factory=dict)
    outputs_per_target: int = 1
    output_columns: tuple[str, ...] = ()

    @property
    def predicts_classes(self) -> bool:
        """Whether the data must bring classes."""
        return self.learns == "classes"

    @property
    def is_search(self) -> bool:
        """Whether one class is looked for among another, by one score."""
        return self.predicts_classes and not self.output_per_class

    def num_outputs(self, num_classes: int) -> int:
        """Returns how many outputs the network has."""
        return num_classes if self.output_per_class else self.outputs_per_target

    @property
    def losses(self) -> tuple[str, ...]:
        """The names in `training.loss` that fit."""
        return (self.loss, *self.other_losses)

    def with_loss(self, loss: str) -> TaskSpec:
        """Returns what the task is when it is learned by a loss."""
        return self.by_loss.get(loss, self)
