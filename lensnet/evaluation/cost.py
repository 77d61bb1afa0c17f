"""What a run's network costs: parameters, multiply-adds, and the time that it takes here."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from lensnet.config import Experiment
from lensnet.models.kit.counting import Counts, count
from lensnet.models.widths import width_factor
from lensnet.symmetry import Group

__all__ = ["count_network", "measure_speed", "network_size"]

_BATCH = 64


def count_network(
    experiment: Experiment, image_shape: tuple[int, int, int], num_classes: int
) -> Counts | None:
    """Counts a run's network for one image, as `lensnet models` does, without the head's layers.

    Where the run averages over rotations (`evaluation.average_over`), the multiply-adds are those
    of all its passes.

    Args:
        experiment: names the network.
        image_shape: (H, W, C) as the network takes them.
        num_classes: how many classes there are.

    Returns:
        None where it cannot be counted: of an ensemble, or of a network that has layers from
        elsewhere than the kit.
    """
    section = experiment.model
    if experiment.ensemble is not None or not experiment.backbone.built_by_kit:
        return None
    factor = width_factor(section.backbone, section.symmetry, section.width_policy)
    try:
        counted = count(
            section.backbone,
            input_shape=image_shape,
            num_outputs=experiment.task_spec.num_outputs(num_classes),
            symmetry=section.symmetry,
            width=section.width * factor,
            options=section.options,
        )
    except (TypeError, ValueError, AttributeError):
        # A builder of the user's own that leaves the kit, for which a map is but a shape here:
        # Keras takes none, nor does arithmetic, and it lacks what a tensor has. The kit itself has
        # nothing to complain of, for the network has been built.
        return None
    group = experiment.evaluation.average_over
    passes = 1 if group == "none" else Group.parse(group).order
    return Counts(counted.parameters, passes * counted.multiply_adds)


def network_size(
    model: Any, experiment: Experiment, image_shape: tuple[int, int, int], num_classes: int
) -> dict[str, int | None]:
    """Returns `parameters`, of all layers, and `multiply_adds`, None where they are not counted.

    Args:
        model: the network.
        experiment, image_shape, num_classes: as of `count_network`.
    """
    counted = count_network(experiment, image_shape, num_classes)
    return {
        "parameters": model.count_params(),
        "multiply_adds": None if counted is None else counted.multiply_adds,
    }


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
