"""From pixels as they come to the network's input, the same in training, prediction and export.

The arithmetic has no absolute threshold: images in units of 1e-12 become what the same images in
units of 1 become. It takes no square of a pixel as it comes, which could underflow, and no mean
of pixels that lie far from zero, which would lose digits. (Below 1e-38 a float32 has none left.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from lensnet.data.resizing import resize
from lensnet.errors import DataError

__all__ = ["NORMALIZATIONS", "Preprocessing"]

Shape = tuple[int, int, int]

NORMALIZATIONS = (
    "none",
    "per_image_min_max",
    "per_image_standard",
    "dataset_min_max",
    "dataset_standard",
)


@dataclass(frozen=True)
class Preprocessing:
    """Resizes and normalises images: `(N, H, W, C)` float32 as they come to float32 as needed.

    Only TensorFlow operations are used, so that a traced function or an exported model can hold
    it. Turning an image by 90 degrees turns the result and changes nothing else.

    Args:
        native_shape: (H, W, C) of the images as they come.
        image_size: pixels a side of the result, by antialiased bilinear interpolation; None to
            keep the size.
        normalization: one of `NORMALIZATIONS`, each channel by itself. `min_max` leads to 0..1,
            `standard` to mean 0 and standard deviation 1. A constant channel becomes zeros.
        offset: for `dataset_*`: what is subtracted from each channel.
        scale: for `dataset_*`: what each channel is then divided by.

    Raises:
        ValueError: an argument is none of what is allowed.
        DataError: `image_size` is given and the images are not square.

    Example:

    >>> prepare = Preprocessing((4, 4, 1), normalization="per_image_min_max")
    >>> image = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> float(tf.reduce_max(prepare(image))), float(tf.reduce_max(prepare(1e-12 * image)))
    (1.0, 1.0)
    """

    native_shape: Shape
    image_size: int | None = None
    normalization: str = "per_image_min_max"
    offset: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {', '.join(NORMALIZATIONS)}; "
                f"got {self.normalization!r}."
            )
        by_data = self.normalization.startswith("dataset_")
        for name in ("offset", "scale"):
            given = getattr(self, name)
            if by_data != (given is not None):
                raise ValueError(
                    f"{name} belongs to the dataset_* normalizations, and they need it; "
                    f"got {given} with {self.normalization}."
                )
            if given is not None and len(given) != self.native_shape[2]:
                raise ValueError(
                    f"{name} needs {self.native_shape[2]} values, one a channel; got {given}."
                )
        height, width, _ = self.native_shape
        if self.image_size is not None and height != width:
            raise DataError(
                f"data.image_size resizes square images; these have {height} x {width} pixels, "
                "and would be distorted. Cut them to squares, or leave data.image_size out."
            )

    @classmethod
    def fit(
        cls,
        native_shape: Shape,
        image_size: int | None,
        normalization: str,
        training_images: Iterable[np.ndarray],
    ) -> Preprocessing:
        """Returns the preprocessing with the statistics that its normalisation needs.

        Args:
            native_shape: (H, W, C).
            image_size: pixels a side of the result; None to keep the size.
            normalization: one of `NORMALIZATIONS`.
            training_images: batches (N, H, W, C) of the training split, as they come. They are
                gone through once, and only for a `dataset_*` normalisation.
        """
        if not normalization.startswith("dataset_"):
            return cls(native_shape, image_size, normalization)
        plain = cls(native_shape, image_size, "none")
        offset, scale = _statistics(
            (plain(tf.constant(batch)).numpy() for batch in training_images),
            normalization == "dataset_min_max",
        )
        return cls(native_shape, image_size, normalization, offset, scale)

    @property
    def image_shape(self) -> Shape:
        """(H, W, C) of the result."""
        if self.image_size is None:
            return self.native_shape
        return (self.image_size, self.image_size, self.native_shape[2])

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images (N, H, W, C) of the native shape as the network takes them, float32."""
        images = tf.cast(images, tf.float32)
        if self.normalization == "none" and self.image_shape == self.native_shape:
            return images
        # Resizing a thousand counts of sky would round away what lies upon it.
        lowest = tf.reduce_min(images, axis=(1, 2), keepdims=True)
        images -= lowest
        if self.image_shape != self.native_shape:
            images = tf.ensure_shape(images, (None, *self.native_shape))
            images = resize(images, self.image_shape[0])
        if self.normalization == "none":
            return images + lowest
        if self.normalization == "per_image_min_max":
            return _unit_range(images)
        if self.normalization == "per_image_standard":
            return _standard(images)
        images += lowest - tf.constant(self.offset, tf.float32)
        return tf.math.divide_no_nan(images, tf.constant(self.scale, tf.float32))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, out of which `from_dict` makes an equal object."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Makes the object that `to_dict` described, also where JSON lies between."""
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**read)


def _unit_range(images: tf.Tensor) -> tf.Tensor:
    """Scales each channel of each image to 0..1."""
    lowest = tf.reduce_min(images, axis=(1, 2), keepdims=True)
    highest = tf.reduce_max(images, axis=(1, 2), keepdims=True)
    return tf.math.divide_no_nan(images - lowest, highest - lowest)


def _standard(images: tf.Tensor) -> tf.Tensor:
    """Scales each channel of each image to mean 0 and standard deviation 1."""
    images = _unit_range(images)
    images -= tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    variance = tf.reduce_mean(tf.square(images), axis=(1, 2), keepdims=True)
    return tf.math.divide_no_nan(images, tf.sqrt(variance))


def _statistics(
    batches: Iterable[np.ndarray], is_min_max: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns offset and scale of each channel over all images, in double precision.

    Means and variances of the batches are merged pairwise (Chan, Golub & LeVeque 1983), which
    keeps their digits where the mean is far from zero.
    """
    lowest, highest = np.inf, -np.inf
    count, mean, squares = 0, 0.0, 0.0
    for batch in batches:
        pixels = batch.reshape(-1, batch.shape[-1]).astype(np.float64)
        lowest = np.minimum(lowest, pixels.min(axis=0))
        highest = np.maximum(highest, pixels.max(axis=0))
        number, mean_here = len(pixels), pixels.mean(axis=0)
        squares_here = np.square(pixels - mean_here).sum(axis=0)
        difference, total = mean_here - mean, count + number
        mean = mean + difference * number / total
        squares = squares + squares_here + difference**2 * count * number / total
        count = total
    if is_min_max:
        offset, scale = np.asarray(lowest), np.asarray(highest) - np.asarray(lowest)
    else:
        offset, scale = np.asarray(mean), np.sqrt(np.asarray(squares) / count)
    return tuple(map(float, offset)), tuple(map(float, scale))
