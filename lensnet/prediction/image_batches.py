"""The images that a run is asked about, a batch at a time: files, or a split of its records."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lensnet.csv_tables import name_as_text
from lensnet.prediction.planning import Input, plan
from lensnet.prediction.predictor import Predictor
from lensnet.progress import hidden

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["ImageBatch", "images_of_inputs", "images_of_split", "read_images"]


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Some images, and what is known of them.

    Args:
        ids: (N,) their names.
        images: (N, H, W, C), raw.
        files: (N,) of images that were named by file; None for those of a split.
        filled: (N,) how many pixels were gaps and have been filled; as `files`.
        labels: (N,) class indices or targets; None where nobody knows them.
        bad: the inputs of this batch that hold no usable image.
    """

    ids: list[str]
    images: np.ndarray
    files: list[str] | None = None
    filled: np.ndarray | None = None
    labels: np.ndarray | None = None
    bad: Sequence[Input] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def truth(self, predictor: Predictor) -> list[str] | np.ndarray | None:
        """Returns the names of the classes, or the targets; None where nobody knows them."""
        if self.labels is None or not predictor.classes:
            return self.labels
        return [predictor.columns.truth_cell(label) for label in self.labels]


def read_images(
    predictor: Predictor, inputs: Sequence[str | Path], batch_size: int
) -> Iterator[list[Input]]:
    """Yields batches of inputs, usable or not, in their order, read as the run's images were.

    Args:
        predictor: of the run.
        inputs: as of `lensnet.prediction.planning.plan`.
        batch_size: inputs at once, bad ones included.

    Raises:
        DataError: an input does not exist, or none of them is of images.
    """
    with tempfile.TemporaryDirectory(prefix="lensnet-") as folder:
        with hidden():
            found = plan(
                predictor.experiment, predictor.native_shape, inputs, folder, by_tile=False
            )
        loaded = (one for n in range(found.partitions) for one in found.load(found.partition(n)))
        while batch := [Input.of(one) for one in itertools.islice(loaded, batch_size)]:
            yield batch


def images_of_inputs(
    predictor: Predictor, inputs: Sequence[str | Path], batch_size: int
) -> Iterator[ImageBatch]:
    """Yields what `read_images` returns as arrays, the bad inputs of each batch beside them.

    Raises:
        DataError: as `read_images`.
    """
    for batch in read_images(predictor, inputs, batch_size):
        good = [item for item in batch if item.image is not None]
        pixels: Any = [item.image for item in good]
        yield ImageBatch(
            [item.id for item in good],
            np.stack(pixels) if good else np.empty((0, *predictor.native_shape), np.float32),
            files=[name_as_text(item.path) for item in good],
            filled=np.array([item.filled for item in good], np.int64),
            bad=[item for item in batch if item.image is None],
        )


def images_of_split(data: PreparedData, split: str, batch_size: int) -> Iterator[ImageBatch]:
    """Yields the images of a split of a run's own records, in their order.

    Args:
        data: of the run.
        split: `train`, `validation` or `test`.
        batch_size: images at once.
    """
    examples, start = data.examples(split), 0
    for images in data.raw_batches(split, batch_size):
        rows = slice(start, start + len(images))
        start += len(images)
        yield ImageBatch(
            examples.ids[rows].tolist(), np.asarray(images), labels=examples.labels[rows]
        )
