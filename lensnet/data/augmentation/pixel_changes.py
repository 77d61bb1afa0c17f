"""Random changes of what pixels hold: noise, seeing, bands that were not observed."""

from __future__ import annotations

import math

import tensorflow as tf

from lensnet.config.augmentation import BandDropout, Blur, Noise
from lensnet.data.augmentation import stateless_random

__all__ = ["blur", "drop_bands", "noise"]


def noise(images: tf.Tensor, seeds: tf.Tensor, options: Noise) -> tf.Tensor:
    """Adds Gaussian noise.

    Args:
        images: (N, H, W, C) float32.
        seeds: (N,) uint64, one an example.
        options: how much.
    """
    return images + options.sigma * stateless_random.normal(seeds, tuple(images.shape[1:]))


def blur(images: tf.Tensor, seeds: tf.Tensor, options: Blur) -> tf.Tensor:
    """Convolves each image with a Gaussian of its own width; beyond the edge it is mirrored.

    Args:
        images: (N, H, W, C) float32.
        seeds: (N,) uint64, one an example.
        options: the largest width.
    """
    sigma = options.sigma_pixels * stateless_random.uniform(seeds, 1)
    reach = math.ceil(3 * options.sigma_pixels)
    places = tf.range(-reach, reach + 1, dtype=tf.float32)
    # Of a width far below a pixel nothing but the middle is left, and 0 / 0 is none of it.
    weights = tf.exp(-0.5 * tf.square(places / tf.maximum(sigma, 1e-3)))
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    for axis in (1, 2):
        images = _convolved(images, weights, reach, axis)
    return images


def _convolved(images: tf.Tensor, weights: tf.Tensor, reach: int, axis: int) -> tf.Tensor:
    """Convolves each image with its own weights (N, 2 reach + 1) along an axis."""
    size = images.shape[axis]
    # The edge lies between a pixel and its image; of a small image there are several.
    places = tf.math.floormod(tf.range(-reach, size + reach), 2 * size)
    padded = tf.gather(images, tf.minimum(places, 2 * size - 1 - places), axis=axis)
    result = tf.zeros_like(images)
    for number in range(2 * reach + 1):
        part = (
            padded[:, number : number + size] if axis == 1 else padded[:, :, number:][:, :, :size]
        )
        result += weights[:, number, tf.newaxis, tf.newaxis, tf.newaxis] * part
    return result


def drop_bands(images: tf.Tensor, seeds: tf.Tensor, options: BandDropout) -> tf.Tensor:
    """Sets whole bands to 0; the one that was nearest to staying always stays.

    Args:
        images: (N, H, W, C) float32.
        seeds: (N,) uint64, one an example.
        options: how often.
    """
    drawn = stateless_random.uniform(seeds, images.shape[3])
    last = tf.reduce_max(drawn, axis=1, keepdims=True)
    stays = tf.logical_or(drawn >= options.probability, drawn == last)
    return images * tf.cast(stays, tf.float32)[:, tf.newaxis, tf.newaxis, :]
