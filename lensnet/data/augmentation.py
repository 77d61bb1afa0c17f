"""Random changes of training images, by name, as pure functions of (seed, epoch, example).

An augmentation is a function `(images, labels, seeds) -> (images, labels)` of a whole batch:
images (N, H, W, C) float32, labels (N, K) float32, seeds (N,) uint64. All its randomness comes
from the seeds, each of which follows from the experiment's seed, the epoch, the example and the
augmentation's name (`lensnet.data.draws`).

>>> import tensorflow as tf
>>> images, labels = tf.reshape(tf.range(4.0), (1, 2, 2, 1)), tf.ones((1, 1))
>>> seeds = tf.constant([7], tf.uint64)
>>> turned, _ = augment(images, labels, seeds, ("flip", "rotate90"))
>>> turned.shape
TensorShape([1, 2, 2, 1])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from lensnet.data import draws
from lensnet.errors import ConfigurationError, UnknownNameError, nearest

__all__ = ["Augmentation", "augment", "check_augmentations", "names", "register"]

Augmentation = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

_augmentations: dict[str, Augmentation] = {}


def register(name: str) -> Callable[[Augmentation], Augmentation]:
    """Makes an augmentation known under a name of `data.augmentation`.

    Raises:
        ValueError: the name is taken.
    """

    def keep(augmentation: Augmentation) -> Augmentation:
        if name in _augmentations:
            raise ValueError(f'The augmentation "{name}" is registered twice.')
        _augmentations[name] = augmentation
        return augmentation

    return keep


def names() -> list[str]:
    """Returns the names of all augmentations."""
    return list(_augmentations)


def check_augmentations(chosen: Sequence[str], shape: tuple[int, int, int]) -> None:
    """Checks that augmentations exist and can be applied to images of a shape.

    Args:
        chosen: `data.augmentation`.
        shape: (H, W, C).

    Raises:
        UnknownNameError: there is no such augmentation.
        ConfigurationError: the images are not square, and one of them turns them.
    """
    for name in chosen:
        if name not in _augmentations:
            raise UnknownNameError(
                f'There is no augmentation "{name}".{nearest(name, _augmentations)} Known: '
                f"{', '.join(_augmentations)}."
            )
    if "rotate90" in chosen and shape[0] != shape[1]:
        raise ConfigurationError(
            f"data.augmentation: rotate90 needs square images; these have {shape[0]} x {shape[1]} "
            "pixels. Leave it out, or set data.image_size."
        )


def augment(
    images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor, chosen: Sequence[str]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies augmentations to a batch, one after the other.

    Args:
        images: (N, H, W, C) float32.
        labels: (N, K) float32.
        seeds: (N,) uint64, one an example, from seed, epoch and example.
        chosen: names, in the order of application.
    """
    for name in chosen:
        images, labels = _augmentations[name](images, labels, draws.stream(seeds, name))
    return images, labels


@register("flip")
def flip(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mirrors each image left to right, and top to bottom, each with probability one half."""
    sides = draws.integers(seeds, 2)
    images = _where(sides, 1, tf.reverse(images, [2]), images)
    return _where(sides, 2, tf.reverse(images, [1]), images), labels


@register("rotate90")
def rotate90(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns each image by 0, 90, 180 or 270 degrees, with equal probability."""
    turns = draws.integers(seeds, 2)
    # Counter-clockwise: transposed, then turned upside down.
    quarter = tf.reverse(tf.transpose(images, (0, 2, 1, 3)), [1])
    images = _where(turns, 1, quarter, images)
    return _where(turns, 2, tf.reverse(images, [1, 2]), images), labels


def _where(drawn: tf.Tensor, bit: int, changed: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Takes for each image the changed one if a bit of its draw is set.

    Both are computed for the whole batch, which is faster than a choice image by image.
    """
    chosen = tf.not_equal(tf.bitwise.bitwise_and(drawn, bit), 0)
    return tf.where(chosen[:, tf.newaxis, tf.newaxis, tf.newaxis], changed, images)
