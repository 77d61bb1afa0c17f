"""Whether an image belongs to one class, such as the lenses, by the probability of that alone."""

from __future__ import annotations

from lensnet.config.task import TaskSpec

TASK = TaskSpec(
    name="binary",
    learns="classes",
    output_per_class=False,
    num_classes=2,
    loss="binary_crossentropy",
    other_losses=("binary_focal_crossentropy",),
    training_metrics="lensnet.metrics:binary_metrics",
    monitors={"val_loss": "min", "val_accuracy": "max", "val_auc": "max"},
    activation="sigmoid",
    output_name="probabilities",
    columns="lensnet.prediction.columns:ClassColumns",
    metrics="lensnet.evaluation.metrics:binary_metrics",
    resampled="lensnet.evaluation.resampled_metrics:resampled_classes",
    figures="lensnet.evaluation.run_figures:figures_of_classes",
    warnings="lensnet.evaluation.caveats:warnings_of_classes",
    headline=("roc_auc", "tpr0", "tpr10"),
    rotation_sentence="scores move by {percent} when the image rotates",
)
