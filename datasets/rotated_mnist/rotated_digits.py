"""The digits of MNIST, each rotated, as a source of examples."""

from __future__ import annotations

import functools
import os
import zipfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from lensnet.data.files.bad_file import BadFileError, first_words
from lensnet.data.files.pixels import channels_last, validate_and_fill
from lensnet.data.hashing import mix, unit_interval
from lensnet.data.sources.folder_listing import Example, Listing
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.source import Loaded, Shape
from lensnet.data.sources.splits import SPLITS, SplitPlan
from lensnet.datasets.rotated_mnist.options import CLASSES, Options, archive_of
from lensnet.errors import DataError

__all__ = ["RotatedDigitsSource"]

# Two draws for each image, which must not be the same one.
_ORDER, _ANGLE = 0, 1


class RotatedDigitsSource:
    """Digits out of `mnist.npz`, each rotated by an angle uniform in [0, 360) degrees.

    Which image is in which split, and by how much it is rotated, are pure functions of
    `options.draw_seed` and its number among the 60,000 + 10,000.

    Args:
        source_dir: the archive, or its directory.
        options: how many images of each split.

    Raises:
        DataError: there is no such archive.
    """

    classes = CLASSES
    splits = SPLITS
    max_bad = 0.0

    def __init__(self, source_dir: Path, options: Options):
        self.path = archive_of(source_dir)
        self.options = options

    def list(self) -> Listing:
        """Draws which images are taken, and for which split; see `Source`.

        Raises:
            DataError: there are not as many images as the options ask for.
        """
        labels = self._digits[1]
        counts = [getattr(self.options, split) for split in SPLITS]
        if sum(counts) > len(labels):
            raise DataError(
                f"{self.path} holds {len(labels)} images, and data.options asks for {sum(counts)}."
            )
        order = np.argsort(mix(self.options.draw_seed, _ORDER, np.arange(len(labels))))
        splits = np.repeat(SPLITS, counts)
        return Listing(
            tuple(
                Example(id=f"mnist/{index}", label=CLASSES[labels[index]], split=str(split))
                for index, split in zip(order.tolist(), splits, strict=False)
            )
        )

    def splits_of(self, examples: Sequence[Example], plan: SplitPlan) -> Sequence[str]:
        """Returns the split of each image; see `Source`."""
        return plan.assign(examples)

    def known_shape(self) -> Shape:
        """Returns the shape of the digits; see `Source`."""
        height, width = self._digits[0].shape[1:]
        return height, width, 1

    def load(self, examples: Sequence[Example]) -> Generator[Loaded, None, None]:
        """Rotates images by threads; see `Source`."""
        return read_ahead(self._load, examples)

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields path, size and time of the archive."""
        status = os.stat(self.path)
        yield f"{self.path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"

    def angle_degrees(self, index: int) -> float:
        """Returns by how much an image is rotated."""
        return 360 * float(unit_interval(mix(self.options.draw_seed, _ANGLE, index)))

    def _load(self, example: Example) -> Loaded:
        from scipy import ndimage

        index = int(example.id.rpartition("/")[2])
        angle = self.angle_degrees(index)
        digit = self._digits[0][index].astype(np.float32)
        rotated = ndimage.rotate(digit, angle, reshape=False, order=1)
        try:
            image, _ = validate_and_fill(channels_last(rotated), max_nonfinite=0.0)
        except ValueError as error:
            return Loaded(example, error=BadFileError(example.id, str(error)))
        return Loaded(example, image=image, metadata={"angle_degrees": angle})

    @functools.cached_property
    def _digits(self) -> tuple[np.ndarray, np.ndarray]:
        """All images (N, 28, 28) and their digits (N,), those of training first."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                images = np.concatenate([archive["x_train"], archive["x_test"]])
                labels = np.concatenate([archive["y_train"], archive["y_test"]])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self.path} is not MNIST as Keras distributes it, with x_train, y_train, x_test "
                f"and y_test ({first_words(error)})."
            ) from error
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise DataError(
                f"{self.path} holds images {images.shape} and labels {labels.shape}, not (N, 28, "
                "28) and (N,)."
            )
        if labels.dtype.kind not in "iu" or not np.isin(labels, np.arange(10)).all():
            raise DataError(f"{self.path} holds labels that are not the digits 0 to 9.")
        return images, labels

    def __getstate__(self) -> dict[str, object]:
        """Leaves out the pixels: a worker reads them for itself."""
        return {"path": self.path, "options": self.options}
