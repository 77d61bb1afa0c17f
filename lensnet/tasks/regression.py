"""A quantity, such as a mass; by one loss with an uncertainty for each prediction."""

from __future__ import annotations

import dataclasses

from lensnet.config.task import TaskSpec

_OTHER_LOSSES = ("mae", "huber", "gaussian_nll")

_WITHOUT_SIGMA = TaskSpec(
    name="regression",
    learns="targets",
    output_per_class=False,
    loss="mse",
    other_losses=_OTHER_LOSSES,
    training_metrics="lensnet.metrics:regression_metrics",
    monitors={"val_loss": "min", "val_mae": "min"},
    activation=None,
    output_name="predictions",
    columns="lensnet.prediction.columns:TargetColumns",
    metrics="lensnet.evaluation.metrics:regression_metrics",
    resampled="lensnet.evaluation.resampled_metrics:resampled_targets",
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

_WITH_SIGMA = dataclasses.replace(
    _WITHOUT_SIGMA,
    outputs_per_target=2,
    output_columns=("predictions", "sigma"),
    columns="lensnet.prediction.columns:TargetAndSigmaColumns",
    metrics="lensnet.evaluation.metrics:regression_metrics_with_sigma",
    headline=("rmse", "r2", "coverage_68"),
)

TASK = dataclasses.replace(_WITHOUT_SIGMA, by_loss={"gaussian_nll": _WITH_SIGMA})
