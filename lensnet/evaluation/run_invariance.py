"""How steady a run's answers are when its test images are rotated and reflected."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from lensnet.errors import DataError
from lensnet.evaluation import figures as draw
from lensnet.evaluation.bootstrap import Interval, confidence_intervals
from lensnet.evaluation.invariance import Invariance, rotation_report
from lensnet.evaluation.precision import in_full_float32
from lensnet.evaluation.resampled_metrics import resampled_means
from lensnet.evaluation.run_opening import load_run_model, open_run_data, split_outputs
from lensnet.layers import accelerate
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["CONSTANT", "RunInvariance", "measure_invariance", "rotate_images_of"]

_log = logging.getLogger(__name__)

CONSTANT = (
    "All test images have the same score: the network tells none apart, and that scores stay when "
    "images rotate says nothing. Has it been trained for too few steps?"
)

RIGHT_ANGLES = "right angles"
MIRRORS = "mirrors"


@dataclass(frozen=True)
class RunInvariance:
    """How a run's answers to its test images change under sets of rotations and reflections.

    Attributes:
        sets: by what is done to the images: `right angles`, the four rotations by 90 degrees;
            `N angles`, where asked for; `mirrors`, the four reflections that map the pixel grid
            onto itself, against the image as it is.
        labels: of the images, class indices or targets, (N,).
        precision: in which it was measured.
        intervals: 95 % intervals of the numbers of each set.
        figures: what was drawn, by the names of their files.
    """

    sets: dict[str, Invariance]
    labels: np.ndarray
    precision: str
    intervals: dict[str, dict[str, Interval]]
    figures: dict[str, Figure]

    def to_json(self) -> dict[str, Any]:
        """Returns what `invariance.json` holds."""
        return {
            "examples": len(self.labels),
            "precision": self.precision,
            "sets": {
                name: {
                    **found.metrics(),
                    "intervals": self.intervals[name],
                    "angles": found.angles.tolist(),
                    "rms_change": found.rms_change.tolist(),
                    **found.truth_by_angle(self.labels),
                }
                for name, found in self.sets.items()
            },
        }


def measure_invariance(
    run: RunFolder, rotations: int, precision: str | None = None, *, mirrors: bool = True
) -> RunInvariance:
    """Measures how steady a run's best model is when its test images are rotated and reflected.

    Args:
        run: the run folder.
        rotations: number of angles, 360 / rotations degrees apart; with the four right angles
            measured beside them.
        precision: `as_trained` or `float32`; by default as the run's `evaluation.precision` says.
        mirrors: whether images are reflected, too.

    Raises:
        DataError: the images are not square and the angles need them to be, or all targets of a
            regression are equal.
    """
    experiment = run.read_experiment()
    data = open_run_data(run)
    model = accelerate(load_run_model(run))
    precision = precision or experiment.evaluation.precision
    labels = data.examples("test").labels
    height, width = data.image_shape[:2]
    sets: dict[str, Invariance] = {}
    with split_outputs(model, data, "test", keep_images=True) as (_, images):
        if height == width or rotations == 4:
            sets[RIGHT_ANGLES] = rotate_images_of(data, model, images, 4, precision)
        if rotations != 4:
            sets[f"{rotations} angles"] = rotate_images_of(
                data, model, images, rotations, precision
            )
        if mirrors and RIGHT_ANGLES in sets:
            reflected = rotate_images_of(data, model, images[:, :, ::-1], 4, precision)
            sets[MIRRORS] = sets[RIGHT_ANGLES].against(reflected)
        finest = sets.get(f"{rotations} angles", sets.get(RIGHT_ANGLES))
        drawn = {} if finest is None else _figures(finest, labels, images, data.classes, rotations)
    if len(labels) > 1 and any(found.is_constant for found in sets.values()):
        _log.warning("%s", CONSTANT)
    drawings, seed = experiment.evaluation.bootstrap, experiment.seed
    intervals = {}
    for name, found in sets.items():
        each = resampled_means(found.per_image())
        known = confidence_intervals(each, np.zeros(len(labels), int), drawings, seed)
        intervals[name] = {key: value for key, value in known.items() if value is not None}
    return RunInvariance(sets, labels, precision, intervals, drawn)


def rotate_images_of(
    data: PreparedData, model: Any, images: np.ndarray, rotations: int, precision: str
) -> Invariance:
    """Puts images of a test split to a model under rotations.

    Args:
        data: whose test split they are of.
        model: from preprocessed images to outputs.
        images: as the model takes them, (N, H, W, C).
        rotations: number of angles, 360 / rotations degrees apart.
        precision: `as_trained` or `float32`.

    Raises:
        DataError: nothing could be said of them so.
    """
    height, width = data.image_shape[:2]
    if height != width and rotations % 4 == 0:
        raise DataError(f"Images of {height} x {width} pixels cannot be rotated by 90 degrees.")
    target_std, columns = None, None
    if data.target_std is not None:
        # Of a prediction, not of its sigma.
        columns = 1
        # In units of the spread of what was to be predicted.
        target_std = float(np.std(data.examples("test").labels))
        if target_std == 0:
            raise DataError("All test targets are equal, and have no spread to compare with.")
    in_precision: Any = contextlib.nullcontext(model)
    if precision == "float32":
        in_precision = in_full_float32(model)
    with in_precision as measured:
        return rotation_report(measured, images, rotations, target_std=target_std, columns=columns)


def _figures(
    found: Invariance,
    labels: np.ndarray,
    images: np.ndarray,
    classes: tuple[str, ...],
    rotations: int,
) -> dict[str, Figure]:
    return {
        f"rotation_profile_{rotations}": draw.rotation_profile(found),
        f"rotation_accuracy_{rotations}": draw.rotation_accuracy(found, labels),
        f"rotation_worst_{rotations}": draw.rotation_worst(found, images, labels, classes),
    }
