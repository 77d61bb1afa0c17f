"""Changes of where pixels lie: flips, turns, shifts and zooms, as one map from image to image.

Each change gives for every image of a batch an affine map from places in the new image to places
in the old one, in pixels from the centre, x to the right and y down: `(xx x + xy y + x0,
yx x + yy y + y0)`. Maps of changes that follow each other are multiplied, and pixels interpolated
once, however many they are. Flips and turns by 90 degrees alone move pixels and interpolate none.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from lensnet.config.augmentation import Augmentation, Resampled, Rotate, Shift, Zoom
from lensnet.config.section import Section
from lensnet.data.augmentation import stateless_random

__all__ = ["GEOMETRIC", "geometric_change"]

Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
# (xx, xy, x0, yx, yy, y0), each (N,) float64.
Affine = tuple[tf.Tensor, ...]


def geometric_change(chosen: Sequence[Augmentation]) -> Change:
    """Returns the change of a batch that several geometric augmentations make together.

    Args:
        chosen: of names in `GEOMETRIC`, in order; those that interpolate agree in how.
    """
    resampled = [one.options for one in chosen if isinstance(one.options, Resampled)]
    if not resampled:

        def move(
            images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            for one in chosen:
                images = _MOVES[one.name](images, stateless_random.stream(seeds, one.name))
            return images, labels

        return move

    fill, interpolation = resampled[0].fill, resampled[0].interpolation

    def resample_once(
        images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        maps = (
            GEOMETRIC[one.name](stateless_random.stream(seeds, one.name), one.options)
            for one in chosen
        )
        total = functools.reduce(_after, maps)
        return _resampled(images, _from_corner(total, images), fill, interpolation), labels

    return resample_once


# --- pixels that only move ------------------------------------------------------------------------


def _flipped(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    sides = stateless_random.integers(seeds, 2)
    images = _where(sides, 1, tf.reverse(images, [2]), images)
    return _where(sides, 2, tf.reverse(images, [1]), images)


def _rotated(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    turns = stateless_random.integers(seeds, 2)
    # Counter-clockwise: transposed, then turned upside down.
    quarter = tf.reverse(tf.transpose(images, (0, 2, 1, 3)), [1])
    images = _where(turns, 1, quarter, images)
    return _where(turns, 2, tf.reverse(images, [1, 2]), images)


def _where(drawn: tf.Tensor, bit: int, changed: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Takes for each image the changed one if a bit of its draw is set.

    Both are computed for the whole batch, which is faster than a choice image by image.
    """
    return tf.where(_bit(drawn, bit)[:, tf.newaxis, tf.newaxis, tf.newaxis], changed, images)


def _bit(drawn: tf.Tensor, bit: int) -> tf.Tensor:
    return tf.not_equal(tf.bitwise.bitwise_and(drawn, bit), 0)


_MOVES = {"flip": _flipped, "rotate90": _rotated}


# --- maps -----------------------------------------------------------------------------------------


def _flip(seeds: tf.Tensor, options: Section) -> Affine:
    sides = stateless_random.integers(seeds, 2)
    one = tf.ones(tf.shape(seeds), tf.float64)
    zero = tf.zeros_like(one)
    x, y = (tf.where(_bit(sides, bit), -one, one) for bit in (1, 2))
    return x, zero, zero, zero, y, zero


def _rotate90(seeds: tf.Tensor, options: Section) -> Affine:
    turns = stateless_random.integers(seeds, 2)
    sign = tf.where(_bit(turns, 2), tf.constant(-1.0, tf.float64), 1.0)
    odd = tf.cast(_bit(turns, 1), tf.float64)
    straight, across, zero = sign * (1 - odd), sign * odd, tf.zeros_like(sign)
    return straight, -across, zero, across, straight, zero


def _rotate(seeds: tf.Tensor, options: Rotate) -> Affine:
    # Counter-clockwise as one sees it: y points down.
    angle = _between(seeds, 0, -math.radians(options.degrees), math.radians(options.degrees))
    cosine, sine, zero = tf.cos(angle), tf.sin(angle), tf.zeros_like(angle)
    return cosine, -sine, zero, sine, cosine, zero


def _shift(seeds: tf.Tensor, options: Shift) -> Affine:
    x, y = (_between(seeds, number, -options.pixels, options.pixels) for number in (0, 1))
    one, zero = tf.ones_like(x), tf.zeros_like(x)
    return one, zero, -x, zero, one, -y


def _zoom(seeds: tf.Tensor, options: Zoom) -> Affine:
    smallest, largest = map(math.log, options.range)
    scale = tf.exp(-_between(seeds, 0, smallest, largest))
    zero = tf.zeros_like(scale)
    return scale, zero, zero, zero, scale, zero


GEOMETRIC: dict[str, Callable[..., Affine]] = {
    "flip": _flip,
    "rotate90": _rotate90,
    "rotate": _rotate,
    "shift": _shift,
    "zoom": _zoom,
}
"""By name, what makes the maps of a batch: of seeds (N,) uint64 and the augmentation's options."""


def _between(seeds: tf.Tensor, number: int, low: float, high: float) -> tf.Tensor:
    """Draws uniform numbers; `number` tells several draws of one change apart."""
    drawn = tf.cast(stateless_random.uniform(seeds, number + 1)[:, number], tf.float64)
    return low + (high - low) * drawn


def _after(first: Affine, second: Affine) -> Affine:
    """The map of two changes, one after the other.

    A place in the last image is taken to one in the image between by the second map, and from
    there to one in the first image by the first.
    """
    xx, xy, x0, yx, yy, y0 = first
    a, b, c, d, e, f = second
    return (
        xx * a + xy * d,
        xx * b + xy * e,
        xx * c + xy * f + x0,
        yx * a + yy * d,
        yx * b + yy * e,
        yx * c + yy * f + y0,
    )


def _from_corner(affine: Affine, images: tf.Tensor) -> tf.Tensor:
    """The same map in pixels from the upper left pixel's centre, (N, 6) float64."""
    xx, xy, x0, yx, yy, y0 = affine
    x, y = (images.shape[2] - 1) / 2, (images.shape[1] - 1) / 2
    return tf.stack([xx, xy, x + x0 - xx * x - xy * y, yx, yy, y + y0 - yx * x - yy * y], axis=1)


def _resampled(images: tf.Tensor, maps: tf.Tensor, fill: str, interpolation: str) -> tf.Tensor:
    # Imported where it is needed: it brings a compiler with it.
    from lensnet.data.augmentation.resampling import resample

    result = tf.numpy_function(
        lambda *arrays: resample(*arrays, fill=fill, interpolation=interpolation),
        [images, maps],
        tf.float32,
        stateful=False,
    )
    return tf.ensure_shape(result, images.shape)
