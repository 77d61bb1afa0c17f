"""Which of two or more exclusive classes an image belongs to."""

from __future__ import annotations

from lensnet.config.task import TaskSpec

TASK = TaskSpec(
    name="classification",
    learns="classes",
    output_per_class=True,
    loss="categorical_crossentropy",
    other_losses=("categorical_focal_crossentropy",),
    training_metrics="lensnet.metrics:classification_metrics",
    monitors={"val_loss": "min", "val_accuracy": "max", "val_auc": "max"},
    activation="softmax",
    output_name="probabilities",
    columns="lensnet.prediction.columns:ClassColumns",
    metrics="lensnet.evaluation.metrics:classification_metrics",
    resampled="lensnet.evaluation.resampled_metrics:resampled_classes",
    figures="lensnet.evaluation.run_figures:figures_of_classes",
    warnings="lensnet.evaluation.caveats:warnings_of_classes",
    headline=("roc_auc", "accuracy", "ece"),
    rotation_sentence="scores move by {percent} when the image rotates",
)
