"""Grad-CAM: the part of the last feature map that speaks for an answer.

Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2: with the answer y and the channels A_k
of a map, `relu(sum_k mean(dy / dA_k) A_k)`, the mean being over the pixels. In a symmetric network
a rotation of the image rotates the map and permutes its channels, the gradients alike, and the sum
over channels does not see the order: the result rotates with the image.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from lensnet.errors import ConfigurationError
from lensnet.explanation.answers import Answer, unwrapped
from lensnet.layers import GroupPool
from lensnet.models.attention import attention_maps
from lensnet.models.stages import stage_outputs, stride_of
from lensnet.symmetry import Group

__all__ = ["grad_cam", "has_attention", "last_attention", "stage_of_map"]

# A map of fewer pixels a side tells no place.
_LEAST_PIXELS = 4
_BATCH = 32


def grad_cam(
    model: keras.Model, images: np.ndarray, chosen: np.ndarray | None = None
) -> np.ndarray:
    """Returns where the network finds what speaks for its answer.

    The map is that of the last stage with at least 4 x 4 pixels, whose pixels lie a stride apart
    around the centre of the image; in between it is linear. What lies more than half a stride
    beyond the last of them, where convolutions leave out the border, is 0. Of a model that averages
    over rotations it is the mean of the maps of the rotated images, rotated back; and so of a
    symmetric network, of which these maps are equal but where its maximum over the group is one of
    equals: there any has the gradient, and the mean of all does not depend on which.

    Args:
        model: as a run saves it.
        images: as the model takes them, (N, H, W, C).
        chosen: the class of each whose logit is explained, (N,); None for the first output.

    Returns:
        (N, H, W), at least 0, in units of the answer: 0 where nothing speaks for it.

    Raises:
        ConfigurationError: the model has no head, or no stage.

    Example:

    >>> from lensnet.models import create
    >>> model = create("lens_cnn", input_shape=(64, 64, 1), num_outputs=2, width=0.125)
    >>> grad_cam(model, np.zeros((2, 64, 64, 1), "float32"), np.array([0, 1])).shape
    (2, 64, 64)
    """
    answer = Answer(model, chosen)
    stage = stage_outputs(answer.inner)[stage_of_map(model)]
    joint = keras.Model(answer.inner.input, [stage, answer.tensor])
    group = answer.group if answer.group.order > 1 else _exact_symmetry(answer.inner)
    found = []
    for start in range(0, len(images), _BATCH):
        rows = slice(start, start + _BATCH)

        def maps(moved: np.ndarray, rows: slice = rows) -> Any:
            return _weighted_map(joint, answer, moved, rows)

        found.append(_averaged(maps, images[rows], group, stride_of(stage)))
    return np.concatenate(found) if found else np.empty(images.shape[:3], np.float32)


def _exact_symmetry(model: keras.Model) -> Group:
    """Returns the elements of a network's group that map the pixel grid onto itself."""
    for layer in model.layers:
        if isinstance(layer, GroupPool):
            group = Group.parse(layer.group)
            return Group(math.gcd(group.rotations, 4), mirrors=group.mirrors)
    return Group(1)


def stage_of_map(model: keras.Model) -> str:
    """Returns the name of the stage whose map `grad_cam` shows.

    Raises:
        ConfigurationError: the model has no stage with a map.
    """
    inner = unwrapped(model)[0]
    sizes = {
        name: min(tensor.shape[1:3])
        for name, tensor in stage_outputs(inner).items()
        if len(tensor.shape) == 4 and None not in tensor.shape[1:3]
    }
    if not sizes:
        raise ConfigurationError(
            f'"{inner.name}" has no stage with a map of known size, as networks of the zoo have.'
        )
    large = [name for name, size in sizes.items() if size >= _LEAST_PIXELS]
    return large[-1] if large else max(sizes, key=lambda name: sizes[name])


def has_attention(model: keras.Model) -> bool:
    """Returns whether a model is a vision transformer, whose attention says where it looks."""
    try:
        attention_maps(unwrapped(model)[0])
    except ConfigurationError:
        return False
    return True


def last_attention(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns the attention of a vision transformer's last block, the mean of its heads.

    In a network with a class token the last block reads nothing but that token: no gradient
    reaches the map, and Grad-CAM of it would be empty.

    Args:
        model: as a run saves it.
        images: as the model takes them, (N, H, W, C).

    Returns:
        (N, H, W), at least 0: the share of the attention, as that of a patch.

    Raises:
        ConfigurationError: the model has no attention.
    """
    inner, group = unwrapped(model)
    maps = attention_maps(inner)
    last = keras.Model(inner.input, maps.output[list(maps.output)[-1]])

    def mean(moved: np.ndarray) -> Any:
        return keras.ops.mean(keras.ops.cast(last(moved, training=False), "float32"), axis=-1)

    parts = [images[at : at + _BATCH] for at in range(0, len(images), _BATCH)]
    # A patch is as long as its stride.
    stride = images.shape[1] / last.output.shape[1]
    return np.concatenate([_averaged(mean, part, group, stride) for part in parts])


def _weighted_map(joint: keras.Model, answer: Answer, images: np.ndarray, rows: slice) -> Any:
    import tensorflow as tf

    inputs = tf.convert_to_tensor(np.ascontiguousarray(images, np.float32))
    with tf.GradientTape() as tape:
        # Else nothing of a model whose layers are frozen is recorded.
        tape.watch(inputs)
        maps, outputs = joint(inputs, training=False)
        total = tf.reduce_sum(answer.of(outputs, rows))
    gradients = tape.gradient(total, maps)
    if gradients is None:
        return tf.zeros(maps.shape[:3], tf.float32)
    weights = tf.reduce_mean(tf.cast(gradients, tf.float32), axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * tf.cast(maps, tf.float32), axis=-1))


def _averaged(maps: Any, images: np.ndarray, group: Group, stride: float) -> np.ndarray:
    """The mean over a group of the maps of moved images, moved back and as large as these."""
    height, width = images.shape[1:3]
    total = np.zeros((len(images), height, width, 1), np.float64)
    for element in range(group.order):
        found = maps(np.ascontiguousarray(group.transform(images, element)))
        small = np.asarray(keras.ops.convert_to_numpy(found), np.float32)[..., np.newaxis]
        upright = group.transform(small, group.inverse(element))
        rows = _weights(height, upright.shape[1], stride)
        columns = _weights(width, upright.shape[2], stride)
        total += np.einsum("yi,xj,nijc->nyxc", rows, columns, upright)
    return np.asarray((total / group.order)[..., 0], np.float32)


def _weights(size: int, pixels: int, stride: float) -> np.ndarray:
    """Returns the share of each of a map's pixels in each of the image's, (size, pixels)."""
    place = (np.arange(size) - (size - 1) / 2) / stride + (pixels - 1) / 2
    inside = place.clip(0, pixels - 1)[:, np.newaxis]
    shares = np.maximum(0, 1 - np.abs(inside - np.arange(pixels)))
    # The same from both ends, whatever rounding does.
    is_covered = np.abs(place - (pixels - 1) / 2) <= pixels / 2 + 1e-9
    return np.asarray(shares * is_covered[:, np.newaxis])
