"""Augmentation layers that keras-cv alone has, made pure functions of their seeds.

The only module that imports keras-cv, which imports TensorFlow and gets no more releases. Its
layers draw from a `tf.random.Generator`, a variable, and from TensorFlow's global state; here they
are given a generator without state, and what would draw from the global state is drawn for them.

`keras_cv.layers.RandomAugmentationPipeline` is not among them. It draws which of the layers given
to it to apply, and that alone could be made to follow from a seed; but the layers draw for
themselves, each from a generator of its own that counts up, and for each kind of layer another
part of it would have to be replaced, as is done here for two. What it is for, other changes for
each image, `rand_augment` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from lensnet.config.augmentation import FourierMix, GridMask
from lensnet.data.augmentation import stateless_random
from lensnet.data.augmentation.keras_augmentation import SeedSequence, in_unit_range, mixed
from lensnet.data.files.bad_file import first_words
from lensnet.errors import ConfigurationError

try:
    import keras_cv
except Exception as error:  # whatever a package that gets no more releases meets in newer ones
    raise ConfigurationError(
        "data.augmentation: grid_mask and fourier_mix are made by keras-cv, which cannot be "
        f"imported here ({first_words(error)}). Leave them out, or pip install keras-cv."
    ) from error

__all__ = ["fourier_mix", "grid_mask"]

Shape = tuple[int, int, int]
Change = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class _Generator:
    """What keras-cv calls of a `tf.random.Generator`, its numbers following from a tensor."""

    def __init__(self, seed: tf.Tensor):
        self._seeds = SeedSequence(seed)

    def uniform(
        self, shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = tf.float32
    ) -> tf.Tensor:
        return tf.random.stateless_uniform(shape, self._seeds.next(), minval, maxval, dtype)

    def normal(self, shape: Any, dtype: Any = tf.float32) -> tf.Tensor:
        return tf.random.stateless_normal(shape, self._seeds.next(), dtype=dtype)


def grid_mask(options: GridMask, shape: Shape) -> Change:
    """Returns `keras_cv.layers.GridMask` as a change of a batch."""
    layer = keras_cv.layers.GridMask(
        ratio_factor=options.ratio, rotation_factor=options.degrees / 360, seed=0, dtype="float32"
    )

    def mask(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        generator = _Generator(seed)
        layer._random_generator = layer.random_rotate._random_generator = generator
        layer.ratio_factor = lambda: generator.uniform((), *options.ratio)
        drawn = layer.get_random_transformation(image=image[0])
        return layer.augment_image(image[0], transformation=drawn)[tf.newaxis]

    return in_unit_range(mask)


def fourier_mix(options: FourierMix, shape: Shape) -> Change:
    """Returns `keras_cv.layers.FourierMix` as a change of a batch.

    Each shape follows from its own example; the partners follow from the batch's first.
    """
    layer = keras_cv.layers.FourierMix(
        alpha=options.alpha, decay_power=options.decay_power, seed=0, dtype="float32"
    )

    def mix(images: tf.Tensor, labels: tf.Tensor, seeds: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.constant(shape[:2])

        def draw_mask(seed: tf.Tensor) -> tf.Tensor:
            layer._random_generator = _Generator(stateless_random.stream(seed, "shape"))
            share = keras.random.beta((1,), options.alpha, options.alpha, seed=SeedSequence(seed))
            smooth = layer._sample_mask_from_transform(options.decay_power, size)
            return layer._binarise_mask(smooth, share[0], size)

        masks = tf.map_fn(
            draw_mask, seeds, fn_output_signature=tf.TensorSpec(shape[:2], tf.float32)
        )[..., tf.newaxis]
        partners = keras.random.shuffle(
            tf.range(tf.shape(seeds)[0]),
            seed=SeedSequence(stateless_random.stream(seeds[0], "partners")),
        )
        return mixed(images, labels, masks, partners)

    return mix
