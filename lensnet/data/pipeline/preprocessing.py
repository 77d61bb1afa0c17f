"""From raw pixels to the network's input, the same in training, prediction and export.

The arithmetic has no absolute threshold: images in units of 1e-12 become what the same images in
units of 1 become. It takes no square of a pixel as it comes, which could underflow, and no mean
of pixels that lie far from zero, which would lose digits. (Below 1e-38 a float32 has none left.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from lensnet.config.normalization import Normalization
from lensnet.data.files.pixels import to_float32
from lensnet.data.pipeline import statistics
from lensnet.data.pipeline.central_cut import central_cut, check_crop
from lensnet.data.pipeline.resizing import resize
from lensnet.data.pipeline.tensor_functions import TENSORFLOW
from lensnet.errors import DataError

__all__ = ["Preprocessing"]

Shape = tuple[int, int, int]

# What a float16 can hold, with room for a sum of two: a pixel that training has not seen the like
# of must not become infinite there, and NaN in the next layer.
_LARGEST = 30000.0

# In units of the softening. Far beyond where asinh is a logarithm, and its square is a float32.
_FAR = 1e18


@dataclass(frozen=True)
class Preprocessing:
    """Resizes and normalises images: `(N, H, W, C)` raw float32 to float32 as needed.

    In this order: the central cut; clip and stretch of `data.normalization`; antialiased resizing;
    its scale; repetition of a single band. Each band is treated by itself, and pixels outside the
    cut have no part in any statistics of it. Clipping comes before resizing so
    that a hot or masked pixel does not spread, and stretching too because a curve that is steep at
    the faint end would magnify what resizing rounds off.

    Only TensorFlow operations are used that other formats have too, so that a traced function or
    an exported model can hold it. Turning an image by 90 degrees turns the result and changes
    nothing else. A band that is constant, or is so within the limits, becomes zeros. Finite pixels
    never become NaN. What is stretched or scaled is kept within +-30,000, which a float16 holds.

    Args:
        native_shape: (H, W, C) of the raw images.
        image_size: pixels a side of the result, by antialiased bilinear interpolation; None to
            keep the size.
        normalization: what `data.normalization` says, whether made already or as in a file.
        offset: for a `dataset_*` scale: what is subtracted from each band.
        scale: for a `dataset_*` scale: what each band is then divided by.
        low: where clip and stretch go by the training split: the lower limit of each band.
        high: the upper limit of each band.
        repeat_channels: how often a single band is repeated; None for once.
        crop: pixels a side of the square in the middle that is taken; None for the whole image.

    Raises:
        ValueError: an argument is none of what is allowed.
        DataError: `crop` does not fit the images, `image_size` is given and what is left is not
            square, or `repeat_channels` and they have several bands.

    Example:

    >>> prepare = Preprocessing((4, 4, 1))
    >>> image = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> float(tf.reduce_max(prepare(image))), float(tf.reduce_max(prepare(1e-12 * image)))
    (1.0, 1.0)
    """

    native_shape: Shape
    image_size: int | None = None
    normalization: Normalization = Normalization()
    offset: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    repeat_channels: int | None = None
    crop: int | None = None

    def __post_init__(self) -> None:
        how = Normalization.model_validate(self.normalization)
        object.__setattr__(self, "normalization", how)
        needed = {
            **dict.fromkeys(("low", "high"), how.has_limits and how.limits == "dataset"),
            **dict.fromkeys(("offset", "scale"), how.scale.startswith("dataset_")),
        }
        bands = self.native_shape[2]
        check_crop(self.crop, self.native_shape)
        height, width = self._cut_size
        for name, is_needed in needed.items():
            given = getattr(self, name)
            if is_needed != (given is not None):
                raise ValueError(
                    f"{name} is for normalizations by the training split, and they need it; got "
                    f"{given} with {how.model_dump()}."
                )
            if given is not None and len(given) != bands:
                raise ValueError(f"{name} needs {bands} values, one a band; got {given}.")
        if self.image_size is not None and height != width:
            raise DataError(
                f"data.image_size resizes square images; these have {height} x {width} pixels, "
                "and would be distorted. data.crop cuts squares out of them."
            )
        if self.repeat_channels is not None and bands != 1:
            raise DataError(
                f"data.repeat_channels repeats the band of one-band images; these have {bands} "
                "bands. Leave it out."
            )

    @classmethod
    def fit(
        cls,
        native_shape: Shape,
        image_size: int | None,
        normalization: Normalization,
        training_images: Callable[[], Iterable[np.ndarray]],
        *,
        repeat_channels: int | None = None,
        crop: int | None = None,
    ) -> Preprocessing:
        """Returns the preprocessing with the statistics that its normalisation needs.

        Args:
            native_shape: (H, W, C).
            image_size: pixels a side of the result; None to keep the size.
            normalization: as of the class.
            training_images: gives the images of the training split, raw, in batches
                (N, H, W, C), each time it is called: once for a `dataset_*` scale, once for limits
                of the data set, twice for percentiles of it. No more than a batch is held.
            repeat_channels: as of the class.
            crop: as of the class.
        """
        how = Normalization.model_validate(normalization)
        check_crop(crop, native_shape)
        rows, columns = central_cut(crop, native_shape)

        def cut() -> Iterator[np.ndarray]:
            return (batch[:, rows, columns] for batch in training_images())

        fitted: dict[str, Any] = {}
        if how.has_limits and how.limits == "dataset":
            if how.clip_percentiles is None:
                low, high = statistics.extent(cut)
            else:
                low, high = statistics.percentiles(cut, how.clip_percentiles)
            fitted.update(low=low, high=high)
        if how.scale.startswith("dataset_"):
            unscaled = cls(
                native_shape,
                image_size,
                how.model_copy(update={"scale": "none"}),
                **fitted,
                crop=crop,
            )

            def stretched() -> Iterator[np.ndarray]:
                return (unscaled(batch).numpy() for batch in training_images())

            if how.scale == "dataset_min_max":
                lowest, highest = statistics.extent(stretched)
                ranges = tuple(b - a for a, b in zip(lowest, highest, strict=True))
                fitted.update(offset=lowest, scale=ranges)
            else:
                fitted["offset"], fitted["scale"] = statistics.moments(stretched)
        return cls(
            native_shape, image_size, how, **fitted, repeat_channels=repeat_channels, crop=crop
        )

    @property
    def _cut_size(self) -> tuple[int, int]:
        """(H, W) of what is cut out of the raw images."""
        height, width, _ = self.native_shape
        return (height, width) if self.crop is None else (self.crop, self.crop)

    @property
    def image_shape(self) -> Shape:
        """(H, W, C) of the result."""
        bands = self.repeat_channels or self.native_shape[2]
        if self.image_size is None:
            return (*self._cut_size, bands)
        return (self.image_size, self.image_size, bands)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images (N, H, W, C) of the native shape as the network takes them, float32."""
        if isinstance(images, np.ndarray):
            # As files are read: TensorFlow would round away what lies upon a large offset.
            images = to_float32(images)
        images = tf.ensure_shape(tf.cast(images, tf.float32), (None, *self.native_shape))
        return self._apply(images, TENSORFLOW)

    def symbolic(self, images: Any) -> Any:
        """Returns what calling does for a `keras.Input` of raw images, as a `KerasTensor`.

        A model of it holds Keras's own operations alone: its file needs no lensnet.
        """
        import keras

        if tuple(images.shape[1:]) != self.native_shape:
            raise ValueError(f"The images are {self.native_shape}; got {images.shape[1:]}.")
        return self._apply(images, keras.ops)

    def _apply(self, images: Any, ops: Any) -> Any:
        """The whole, by the functions for the kind of tensor that the images are."""
        how, size = self.normalization, self.image_shape[:2]
        if self._cut_size != self.native_shape[:2]:
            rows, columns = central_cut(self.crop, self.native_shape)
            images = images[:, rows, columns]
        if how.has_limits or how.scale != "none" or size != self._cut_size:
            # Resizing a thousand counts of sky would round away what lies upon it.
            zero = ops.min(images, axis=(1, 2), keepdims=True)
            images = images - zero
            if how.has_limits:
                images, zero = self._within_limits(images, zero, ops)
            if size != self._cut_size:
                images = resize(images, size[0], ops)
            images = self._scaled(images, zero, ops)
        if self.repeat_channels is not None:
            images = ops.tile(images, (1, 1, 1, self.repeat_channels))
        return images

    def _within_limits(self, images: Any, zero: Any, ops: Any) -> tuple[Any, Any]:
        """Clips and stretches images.

        Args:
            images: (N, H, W, C).
            zero: what was taken off them.
            ops: the functions of their kind.

        Returns:
            images, and what is off them now.
        """
        clip = self.normalization.clip_percentiles
        if self.normalization.limits == "dataset":
            low, high = np.array(self.low), np.array(self.high)
            images = images + (zero - np.float32(low))
            zero, span = np.float32(low), np.float32(high - low)
        else:
            if clip is None:
                first, last = _extent(images, ops)
            else:
                first, last = _percentiles(images, clip, ops)
            images, zero, span = images - first, zero + first, last - first
        if clip is not None:
            images = ops.minimum(ops.maximum(images, 0.0), span)
        if self.normalization.stretch == "none":
            return images, zero
        stretch = _STRETCHES[self.normalization.stretch]
        stretched = stretch(ops.divide_no_nan(images, span), self.normalization.softening, ops)
        return stretched, np.float32(0)

    def _scaled(self, images: Any, zero: Any, ops: Any) -> Any:
        """Brings images (N, H, W, C), off which `zero` was taken, to their scale."""
        scale = self.normalization.scale
        if scale == "none" and self.normalization.stretch == "none":
            return images + zero
        if scale == "per_image_min_max":
            return _unit_range(images, ops)
        if scale == "per_image_standard":
            return _standard(images, ops)
        if scale != "none":
            images = images + (zero - np.array(self.offset, np.float32))
            images = ops.divide_no_nan(images, np.array(self.scale, np.float32))
        return ops.clip(images, -_LARGEST, _LARGEST)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, out of which `from_dict` makes an equal object."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["normalization"] = self.normalization.model_dump(mode="json")
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Makes the object that `to_dict` described, also where JSON lies between."""
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**read)


def _extent(images: Any, ops: Any) -> tuple[Any, Any]:
    """Returns the lowest and the highest pixel of each band of each image, (N, 1, 1, C)."""
    lowest = ops.min(images, axis=(1, 2), keepdims=True)
    return lowest, ops.max(images, axis=(1, 2), keepdims=True)


def _percentiles(images: Any, shares: tuple[float, float], ops: Any) -> tuple[Any, Any]:
    """Returns two percentiles of each band of each image, (N, 1, 1, C).

    Between two pixels they are interpolated linearly, as NumPy does by default.
    """
    height, width, bands = images.shape[1:]
    count = height * width
    planes = ops.reshape(ops.transpose(images, (0, 3, 1, 2)), (-1, bands, count))
    found = []
    for share in shares:
        # From the nearer end: `top_k` of few is many times faster than sorting all.
        sign, place = (-1.0, share) if share <= 50 else (1.0, 100 - share)
        at, part = divmod(place / 100 * (count - 1), 1)
        ends = ops.top_k(sign * planes, min(int(at) + 2, count))[0][..., int(at) :]
        first, second = ends[..., 0], ends[..., -1]
        # Not first + part * (second - first), which rounds apart where both are equal.
        value = sign * ((1 - part) * first + part * second)
        found.append(ops.reshape(value, (-1, 1, 1, bands)))
    return found[0], found[1]


def _asinh(values: Any, softening: float, ops: Any) -> Any:
    """Written out: not every format that models are exported to knows an inverse hyperbola."""
    stretched = ops.minimum(ops.abs(values) / softening, _FAR)
    whole = ops.log(stretched + ops.sqrt(ops.square(stretched) + 1.0))
    return ops.sign(values) * whole / np.float32(np.arcsinh(1 / softening))


def _sqrt(values: Any, softening: None, ops: Any) -> Any:
    return ops.sign(values) * ops.sqrt(ops.abs(values))


def _log(values: Any, softening: float, ops: Any) -> Any:
    whole = ops.log(ops.minimum(ops.abs(values) / softening, _FAR) + 1.0)
    return ops.sign(values) * whole / np.float32(np.log1p(1 / softening))


_STRETCHES: dict[str, Callable[..., Any]] = {"asinh": _asinh, "sqrt": _sqrt, "log": _log}


def _unit_range(images: Any, ops: Any) -> Any:
    """Scales each band of each image to 0..1."""
    lowest, highest = _extent(images, ops)
    return ops.divide_no_nan(images - lowest, highest - lowest)


def _standard(images: Any, ops: Any) -> Any:
    """Scales each band of each image to mean 0 and standard deviation 1."""
    images = _unit_range(images, ops)
    images = images - ops.mean(images, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(images), axis=(1, 2), keepdims=True)
    return ops.divide_no_nan(images, ops.sqrt(variance))
