"""What a run's network costs: parameters, multiply-adds, and the time that it takes here."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from lensnet.config import Experiment
from lensnet.errors import LensnetError
from lensnet.models.kit.counting import count
from lensnet.models.widths import width_factor
from lensnet.symmetry import Group

__all__ = ["measure_speed", "multiply_adds"]

_BATCH = 64


def multiply_adds(
    experiment: Experiment, image_shape: tuple[int, int, int], num_classes: int
) -> int | None:
    """Counts the multiply-adds for one image, as `lensnet models` does, without the head's layers.

    Args:
        experiment: names the network.
        image_shape: (H, W, C) as the network takes them.
        num_classes: how many classes there are.

    Returns:
        None where they cannot be counted: of an ensemble, or of a network from elsewhere.
    """
    section = experiment.model
    if getattr(experiment, "ensemble", None) is not None:
        return None
    try:
        factor = width_factor(section.backbone, section.symmetry, section.width_policy)
        counted = count(
            section.backbone,
            input_shape=image_shape,
            num_outputs=experiment.task_spec.num_outputs(num_classes),
            symmetry=section.symmetry,
            width=section.width * factor,
            options=section.options,
        )
    except (LensnetError, ValueError, TypeError, AttributeError, NotImplementedError):
        return None
    group = experiment.evaluation.average_over
    return counted.multiply_adds * (1 if group == "none" else Group.parse(group).order)


def measure_speed(model: Any, image_shape: tuple[int, int, int], calls: int = 10) -> dict[str, Any]:
    """Measures how fast a model answers for preprocessed images.

    Args:
        model: from images to outputs.
        image_shape: (H, W, C).
        calls: for one image, after the first; for a batch of 64 a third of them.

    Returns:
        `milliseconds_for_one_image`, the median; `images_per_second`, in batches of 64.
    """
    one = np.zeros((1, *image_shape), "float32")
    many = np.zeros((_BATCH, *image_shape), "float32")
    return {
        "milliseconds_for_one_image": round(1e3 * _median_seconds(model, one, calls), 2),
        "images_per_second": round(_BATCH / _median_seconds(model, many, max(calls // 3, 1)), 1),
    }


def _median_seconds(model: Any, images: np.ndarray, calls: int) -> float:
    model.predict_on_batch(images)
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        model.predict_on_batch(images)
        seconds.append(time.perf_counter() - start)
    return max(float(np.median(seconds)), 1e-9)
