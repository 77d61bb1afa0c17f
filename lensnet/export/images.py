"""The images that an export is checked with, calibrated with, and timed with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lensnet.data import PreparedData, Preprocessing, find_prepared
from lensnet.errors import DataError
from lensnet.prediction.predictor import Predictor
from lensnet.run_folder import RunFolder

__all__ = ["CheckImages", "calibration_images", "calibration_positions", "made_up", "open_data"]

_log = logging.getLogger(__name__)

BATCH_SIZE = 64
"""Images in a batch where an export is checked and timed."""

_MADE_UP = 64
_CALIBRATION = 200


@dataclass(frozen=True, eq=False)
class CheckImages:
    """Raw images, and what is known of them.

    Args:
        words: what they are, in a sentence.
        count: how many there are.
        batches: gives them in batches, each time it is called.
        labels: labels or targets, (N,); None where nobody knows any.
    """

    words: str
    count: int
    batches: Callable[[], Iterable[np.ndarray]]
    labels: np.ndarray | None = None

    @classmethod
    def of(cls, data: PreparedData | None, predictor: Predictor) -> CheckImages:
        """The test split; where the records are gone, images that are made up."""
        if data is None:
            images = made_up(predictor.preprocessing, _MADE_UP)
            words = f"{_MADE_UP} made-up images (the run's prepared records are gone)"
            return cls(words, _MADE_UP, lambda: [images])
        labels, split = data.examples("test").labels, data
        words = f"the {len(labels)} images of the test split"
        return cls(words, len(labels), lambda: split.raw_batches("test", BATCH_SIZE), labels)


def open_data(run: RunFolder, predictor: Predictor) -> PreparedData | None:
    """Opens the prepared records of a run; None where they are gone, for none are made."""
    records = run.read_data().records
    return find_prepared(predictor.experiment, records, predictor.preprocessing)


def calibration_images(data: PreparedData | None) -> np.ndarray:
    """Returns raw training images, as many of each class as of any other, (N, H, W, C).

    Raises:
        DataError: the records are gone, or the images are all of one class.
    """
    if data is None:
        raise DataError(
            "int8 is calibrated on training images, and the run's prepared records are gone: "
            "bring them back ($LENSNET_DATA_DIR says where they lie), or use --quantize float16, "
            "which needs none."
        )
    labels = data.examples("train").labels
    return data.raw_images("train", calibration_positions(labels, data.classes))


def calibration_positions(
    labels: np.ndarray, classes: Sequence[str], count: int = _CALIBRATION
) -> np.ndarray:
    """Returns which training images calibrate: drawn at random, of each class alike.

    Args:
        labels: of all, (N,); targets where there are no classes.
        classes: the class names, () for regression.
        count: how many there are to be.

    Raises:
        DataError: all are of one class.

    Example:

    >>> labels = np.array([0] * 1000 + [1] * 2)
    >>> np.bincount(labels[calibration_positions(labels, ["galaxy", "lens"], 10)]).tolist()
    [5, 2]
    """
    rng = np.random.default_rng(0)
    if not classes:
        return np.sort(rng.permutation(len(labels))[:count])
    found = np.unique(labels)
    if len(found) < 2:
        raise DataError(
            f'The training images are all of the class "{classes[int(found[0])]}": int8 calibrated '
            "on them would cut off what other classes look like. Use --quantize float16."
        )
    share = count // len(found)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:share] for label in found]
    return np.sort(np.concatenate(chosen))


def made_up(preprocessing: Preprocessing, count: int, seed: int = 0) -> np.ndarray:
    """Returns images of round galaxies in noise, in the units of the run's data, (N, H, W, C).

    Args:
        preprocessing: the run's; its statistics tell the units, where it has any.
        count: how many.
        seed: of the noise.
    """
    height, width, bands = preprocessing.native_shape
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
    sizes = rng.uniform(0.05, 0.2, (count, 1, 1, bands)) * min(height, width)
    images = np.exp(-distance[:, :, np.newaxis] / sizes)
    images += 0.1 * rng.standard_normal((count, height, width, bands))
    if preprocessing.low is not None and preprocessing.high is not None:
        low, high = np.array(preprocessing.low), np.array(preprocessing.high)
        images = low + (high - low) * images
    elif preprocessing.offset is not None and preprocessing.scale is not None:
        images = np.array(preprocessing.offset) + np.array(preprocessing.scale) * images
    return images.astype("float32")


def first(batches: Iterable[np.ndarray]) -> np.ndarray:
    """Returns the first batch."""
    iterator: Iterator[np.ndarray] = iter(batches)
    return next(iterator)
