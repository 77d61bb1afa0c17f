"""Random changes of training images, by name, as pure functions of (seed, epoch, example).

A change is a function `(images, labels, seeds) -> (images, labels)` of a whole batch: images
(N, H, W, C) float32, labels (N, K) float32, seeds (N,) uint64. All its randomness comes from the
seeds, each of which follows from the experiment's seed, the epoch, the example and the
augmentation's name (`lensnet.data.augmentation.stateless_random`).

>>> import tensorflow as tf
>>> from lensnet.config.augmentation import Augmentation
>>> chosen = [Augmentation.model_validate(name) for name in ("flip", "rotate90")]
>>> images, labels = tf.reshape(tf.range(4.0), (1, 2, 2, 1)), tf.ones((1, 1))
>>> rotated, _ = augmenter(chosen, (2, 2, 1))(images, labels, tf.constant([7], tf.uint64))
>>> rotated.shape
TensorShape([1, 2, 2, 1])
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from lensnet.config.augmentation import Augmentation, Resampled
from lensnet.data.augmentation import pixel_changes, stateless_random
from lensnet.data.augmentation.geometry import GEOMETRIC, geometric_change
from lensnet.errors import ConfigurationError

__all__ = ["Change", "augmenter", "check_augmentations", "check_libraries"]

Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
Shape = tuple[int, int, int]


def check_augmentations(chosen: Sequence[Augmentation], shape: Shape) -> None:
    """Checks that augmentations can be applied to images of a shape.

    Args:
        chosen: `data.augmentation`.
        shape: (H, W, C).

    Raises:
        ConfigurationError: one of them turns images and they are not square, takes bands away
            and there is one, or reaches farther than the image.
    """
    height, width, bands = shape
    for augmentation in chosen:
        name = augmentation.name
        if name == "rotate90" and height != width:
            raise ConfigurationError(
                f"data.augmentation: rotate90 needs square images; these have {height} x {width} "
                "pixels. Leave it out, or set data.crop.",
                key="data.augmentation",
            )
        if name == "band_dropout" and bands == 1:
            raise ConfigurationError(
                "data.augmentation: band_dropout needs several bands; these images have one. "
                "Leave it out.",
                key="data.augmentation",
            )
        if augmentation.shift is not None and augmentation.shift.pixels >= min(height, width):
            raise ConfigurationError(
                f"data.augmentation: shift by {augmentation.shift.pixels:g} pixels would move "
                f"images of {height} x {width} pixels out of sight. Lower shift.pixels.",
                key="data.augmentation",
            )


def check_libraries(chosen: Sequence[Augmentation]) -> None:
    """Checks that what makes augmentations can be imported, before a training needs it.

    Args:
        chosen: `data.augmentation`.

    Raises:
        ConfigurationError: a library is missing, or does not work with the others.
    """
    for augmentation in chosen:
        module = _LIBRARIES.get(augmentation.name)
        if module is not None:
            importlib.import_module(module)


def augmenter(chosen: Sequence[Augmentation], shape: Shape) -> Change:
    """Returns the change that several augmentations make, one after the other.

    Geometric ones that follow each other and interpolate alike are one map from image to image.

    Args:
        chosen: `data.augmentation`, in the order of application.
        shape: (H, W, C) of the images.
    """
    steps = [
        geometric_change(group) if group[0].name in GEOMETRIC else _single(group[0], shape)
        for group in _groups(chosen)
    ]

    def augment(
        images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        for step in steps:
            images, labels = step(images, labels, seeds)
        return images, labels

    return augment


def _groups(chosen: Sequence[Augmentation]) -> list[list[Augmentation]]:
    """Divides augmentations into steps: geometric ones that can be one map, and single others."""
    groups: list[list[Augmentation]] = []
    agreed: tuple[str, str] | None = None
    for augmentation in chosen:
        options = augmentation.options
        own = (options.fill, options.interpolation) if isinstance(options, Resampled) else None
        joins = (
            groups
            and {augmentation.name, groups[-1][-1].name} <= GEOMETRIC.keys()
            and (agreed == own or agreed is None or own is None)
        )
        if joins:
            groups[-1].append(augmentation)
            agreed = agreed or own
        else:
            groups.append([augmentation])
            agreed = own
    return groups


def _single(augmentation: Augmentation, shape: Shape) -> Change:
    """Returns the change that an augmentation makes which is not geometric."""
    name = augmentation.name
    change = _SINGLE[name](augmentation.options, shape)

    def with_its_own_draws(
        images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return change(images, labels, stateless_random.stream(seeds, name))

    return with_its_own_draws


def _of_pixels(change: Callable[[tf.Tensor, tf.Tensor, Any], tf.Tensor]) -> _Builder:
    """What changes images and not labels."""

    def build(options: Any, shape: Shape) -> Change:
        return lambda images, labels, seeds: (change(images, seeds, options), labels)

    return build


def _of_library(name: str) -> _Builder:
    """What a library makes, which is imported when it is asked for."""
    module = _LIBRARIES[name]

    def build(options: Any, shape: Shape) -> Change:
        made: Change = getattr(importlib.import_module(module), name)(options, shape)
        return made

    return build


_LIBRARIES = {
    **dict.fromkeys(
        ("random_erasing", "rand_augment", "mixup", "cutmix"),
        "lensnet.data.augmentation.keras_augmentation",
    ),
    **dict.fromkeys(
        ("grid_mask", "fourier_mix"), "lensnet.data.augmentation.keras_cv_augmentation"
    ),
}
"""The module of each augmentation that a library makes."""

_Builder = Callable[[Any, Shape], Change]
_SINGLE: dict[str, _Builder] = {
    "noise": _of_pixels(pixel_changes.noise),
    "blur": _of_pixels(pixel_changes.blur),
    "band_dropout": _of_pixels(pixel_changes.drop_bands),
    **{name: _of_library(name) for name in _LIBRARIES},
}
