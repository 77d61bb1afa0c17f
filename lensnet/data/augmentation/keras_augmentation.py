"""Keras's own augmentation layers, made pure functions of their seeds.

A layer of Keras draws from a `SeedGenerator`, a variable that counts up: what it does to an
example would depend on how many batches there were before. Each layer also takes another generator
for a call, and one whose seeds follow from a tensor makes all that it draws follow from that
tensor. Layers that look at one image at a time get each image alone, with its own example's seed;
layers that mix the images of a batch get the seed of the batch's first example, and batches are
the same in each run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from lensnet.config.augmentation import CutMix, MixUp, RandAugment, RandomErasing
from lensnet.data.augmentation import stateless_random

__all__ = [
    "SeedSequence",
    "cutmix",
    "each_alone",
    "in_unit_range",
    "mixed",
    "mixup",
    "rand_augment",
    "random_erasing",
]

Shape = tuple[int, int, int]
Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class SeedSequence(keras.random.SeedGenerator):
    """Seeds for the random functions of Keras that follow from a tensor.

    Args:
        seed: () uint64.
    """

    def __init__(self, seed: tf.Tensor):
        # Not the base's, which makes a variable.
        self._seed = seed
        self._count = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        """Returns the next seed, (2,) int32: another for each call in the program's text."""
        self._count += 1
        return tf.bitcast(stateless_random.mix(self._seed, self._count), tf.int32)


def random_erasing(options: RandomErasing, shape: Shape) -> Change:
    """Returns `keras.layers.RandomErasing` as a change of a batch."""
    layer = keras.layers.RandomErasing(
        factor=(options.probability, options.probability),
        scale=options.area,
        fill_value=0.0 if options.fill == "lowest" else None,
        value_range=(0.0, 1.0),
        dtype="float32",
    )

    def erase(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        drawn = layer.get_random_transformation(image, seed=SeedSequence(seed))
        return layer.transform_images(image, drawn)

    return in_unit_range(erase)


def rand_augment(options: RandAugment, shape: Shape) -> Change:
    """Returns the changes of `keras.layers.RandAugment`, drawn for each image, as one of a batch.

    The layer itself draws which changes to make once for a batch, and makes all of them to choose
    among the results; here its parts are called one by one.

    Args:
        options: how many and how strong.
        shape: (H, W, C); the change of colours needs three of them.
    """
    layer = keras.layers.RandAugment(
        value_range=(0.0, 1.0), factor=options.magnitude, dtype="float32"
    )
    parts = [
        getattr(layer, name)
        for name in layer._AUGMENT_LAYERS
        if name != "random_color_degeneration" or shape[2] == 3
    ]

    def applied(place: int, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        part, seeds = parts[place], SeedSequence(stateless_random.mix(seed, place))
        drawn = part.get_random_transformation(image, seed=seeds)
        return tf.ensure_shape(part.transform_images(image, drawn), image.shape)

    def change(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for number in range(options.operations):
            own = stateless_random.mix(seed, number)
            which = keras.random.randint((), 0, len(parts), seed=SeedSequence(own))
            branches = [
                functools.partial(applied, place, image, own) for place in range(len(parts))
            ]
            image = tf.switch_case(which, branches)
        return image

    return in_unit_range(change)


def mixup(options: MixUp, shape: Shape) -> Change:
    """Returns `keras.layers.MixUp` as a change of a batch."""
    layer = keras.layers.MixUp(alpha=options.alpha, dtype="float32")

    def mix(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = layer.get_random_transformation(images, seed=SeedSequence(seeds[0]))
        return layer.transform_images(images, drawn), layer.transform_labels(labels, drawn)

    return mix


def cutmix(options: CutMix, shape: Shape) -> Change:
    """Returns `keras.layers.CutMix` as a change of a batch.

    Labels are mixed by the pixels that come from either image; the layer itself goes by the
    rectangle before it is cut to whole pixels.
    """
    layer = keras.layers.CutMix(factor=(options.alpha, options.alpha), dtype="float32")

    def mix(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = layer.get_random_transformation(images, seed=SeedSequence(seeds[0]))
        theirs = tf.cast(drawn["batch_masks"][..., :1], tf.float32)
        return mixed(images, labels, 1 - theirs, drawn["permutation_order"])

    return mix


def mixed(
    images: tf.Tensor, labels: tf.Tensor, own: tf.Tensor, partners: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts parts of other images into images, and mixes labels by the share of pixels.

    Args:
        images: (N, H, W, C) float32.
        labels: (N, K) float32.
        own: (N, H, W, 1) float32, 1 where the image's own pixels stay and 0 elsewhere.
        partners: (N,) whose pixels come there.
    """
    share = tf.reduce_mean(own, axis=(1, 2))
    return (
        tf.where(own > 0, images, tf.gather(images, partners)),
        share * labels + (1 - share) * tf.gather(labels, partners),
    )


def in_unit_range(change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Change:
    """Makes a change of a batch out of one of a single image whose pixels run from 0 to 1.

    The range of each image is mapped there and back, whatever the normalisation is.

    Args:
        change: of an image (1, H, W, C) float32 and its seed, () uint64.
    """

    def changed(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        lowest, highest = tf.reduce_min(image), tf.reduce_max(image)
        unit = tf.math.divide_no_nan(image - lowest, highest - lowest)
        return lowest + (highest - lowest) * change(unit, seed)

    def apply(
        images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return each_alone(changed, images, seeds), labels

    return apply


def each_alone(
    change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], images: tf.Tensor, seeds: tf.Tensor
) -> tf.Tensor:
    """Changes each image (1, H, W, C) of a batch by itself."""
    return tf.map_fn(
        lambda one: change(one[0][tf.newaxis], one[1])[0],
        (images, seeds),
        fn_output_signature=tf.TensorSpec(images.shape[1:], tf.float32),
    )
