"""A quantity, such as a mass, whose targets are learned with mean 0 and standard deviation 1."""

from __future__ import annotations

from lensnet.config.task import TaskSpec

TASK = TaskSpec(
    name="regression",
    learns="targets",
    output_per_class=False,
    loss="mse",
    training_metrics="lensnet.metrics:regression_metrics",
    monitors={"val_loss": "min", "val_mae": "min"},
    activation=None,
    output_name="predictions",
    columns="lensnet.prediction.columns:TargetColumns",
    metrics="lensnet.evaluation.metrics:regression_metrics",
    figures="lensnet.evaluation.run_figures:figures_of_targets",
    warnings="lensnet.evaluation.caveats:warnings_of_targets",
    headline=("rmse", "r2", "mae"),
    rotation_sentence="predictions move by {percent} of the target's spread when the image rotates",
    refused_augmentations={
        "zoom": "changes the size of a lens, with which a mass grows",
        "rand_augment": "shears and shifts the contrast, which a target may depend on",
        "cutmix": "leaves two parts of lenses, of which no target is true",
        "fourier_mix": "leaves two parts of lenses, of which no target is true",
    },
)
