"""Whether an export answers as the run's model does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensnet.errors import LensnetError
from lensnet.evaluation.precision import in_full_float32
from lensnet.export.images import CheckImages
from lensnet.prediction.predictor import Predictor
from lensnet.progress import track

__all__ = ["Check", "check_export", "compare"]

_TOLERANCES = {None: 1e-5, "float16": 1e-2}
"""The largest difference in a probability, or in a target as a part of the largest prediction."""

_ACCURACY_LOST = 0.01
_SPREAD_LOST = 0.05


@dataclass(frozen=True)
class Check:
    """What was found.

    Args:
        images: how many were compared, and what they are, in words.
        largest_difference: in probability, or in the target's unit, from the run's model.
        allowed: of the largest difference; None for int8, of which `lost` is limited.
        metric: `accuracy`, or `mae` in the target's unit.
        export: the metric of the export; None where no labels are known.
        run: the metric of the run's model.
    """

    images: str
    largest_difference: float
    allowed: float | None
    metric: str
    export: float | None
    run: float | None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values."""
        return {
            "images": self.images,
            "largest_difference": self.largest_difference,
            "largest_difference_allowed": self.allowed,
            self.metric: self.export,
            f"{self.metric}_of_the_run": self.run,
        }


def check_export(
    predictor: Predictor,
    export: Callable[[np.ndarray], np.ndarray],
    images: CheckImages,
    quantize: str | None,
) -> Check:
    """Compares an export with the run's model, in float32, image by image.

    Args:
        predictor: the run's.
        export: from raw images (N, H, W, C) to outputs (N, K).
        images: what both are asked.
        quantize: how the export is quantised, which says what is allowed: without, 1e-5 in a
            probability, and with float16 1e-2 (of targets, so much of the largest prediction);
            with int8, a loss of 1 point of accuracy or of one image (of targets, a mean absolute
            error that is larger by 5 % of their standard deviation).

    Raises:
        LensnetError: they differ by more.
    """
    expected, actual = [], []
    with in_full_float32(predictor.model) as model:
        for batch in track(images.batches(), "Checking the export", images.count, count=len):
            expected.append(np.asarray(model.predict_on_batch(predictor.preprocessing(batch))))
            actual.append(export(batch))
    outputs = np.concatenate(expected), np.concatenate(actual)
    return compare(*outputs, images, quantize, has_classes=bool(predictor.classes))


def compare(
    expected: np.ndarray,
    actual: np.ndarray,
    images: CheckImages,
    quantize: str | None,
    *,
    has_classes: bool,
) -> Check:
    """Compares outputs (N, K); see `check_export`."""
    if actual.shape != expected.shape or not np.all(np.isfinite(actual)):
        raise LensnetError(
            f"The export gives {actual.shape} numbers, {np.sum(~np.isfinite(actual))} of them not "
            f"finite, where the run's model gives {expected.shape}; it was not kept."
        )
    difference = float(np.max(np.abs(actual - expected)))
    scale = 1.0 if has_classes else float(np.max(np.abs(expected)))
    allowed = None if quantize == "int8" else _TOLERANCES[quantize] * scale
    measure = _accuracy if has_classes else _mean_absolute_error
    metric = "accuracy" if has_classes else "mae"
    of_export = of_run = None
    if images.labels is not None:
        of_export = measure(actual, images.labels)
        of_run = measure(expected, images.labels)
    check = Check(images.words, difference, allowed, metric, of_export, of_run)
    if allowed is not None and difference > allowed:
        raise LensnetError(
            f"The export differs from the run's model by up to {difference:.2g} on {images.words}, "
            f"where {allowed:.2g} is allowed; it was not kept."
        )
    if allowed is None and of_export is not None and of_run is not None:
        _check_loss(check, of_export, of_run, np.asarray(images.labels))
    return check


def _check_loss(check: Check, export: float, run: float, labels: np.ndarray) -> None:
    if check.metric == "accuracy":
        lost, limit = run - export, max(_ACCURACY_LOST, 1 / len(labels))
    else:
        lost, limit = export - run, _SPREAD_LOST * float(np.std(labels))
    if lost > limit + 1e-12:
        raise LensnetError(
            f"By int8 the {check.metric} goes from {run:.4g} to {export:.4g} on {check.images}: "
            f"{lost:.2g} is lost, where {limit:.2g} is allowed. The export was not kept; use "
            "--quantize float16."
        )


def _accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    is_one = outputs.shape[1] == 1
    predicted = outputs[:, 0] > 0.5 if is_one else np.argmax(outputs, axis=1)
    return float(np.mean(predicted == labels))


def _mean_absolute_error(outputs: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(np.abs(outputs[:, 0] - labels)))
