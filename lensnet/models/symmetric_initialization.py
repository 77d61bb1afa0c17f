"""Initialising a symmetric network from the weights of a plain one.

A plain filter becomes the filter of a field: the group applies it in every orientation, and
between fields it acts on the channel of its own orientation alone. The channel of element g, of
every field in every layer, then holds what the plain network computes on the image rotated by the
inverse of g; nothing is mixed until training mixes it. Pooled over the group, a feature is the
plain network's largest over all turns of the image. (It is the regular representation's copy of
the trivial one: Cohen & Welling 2016, arXiv:1602.07576, equation 11 with a filter that is zero
but at the identity.)

So the symmetric network needs as many fields as the plain one has channels: `width_policy:
fields`. With equal cost or equal parameters it has fewer filters than there are weights for, and
no choice of them gives the plain network's answers. Filters of circular harmonics (c8, d16) cannot
hold the plain network's taps; layer normalisation takes its mean over all orientations at once,
and so do the inner products of attention (ConvNeXt, vision transformers): these are refused too.
The equality holds where every stride fits the map, as without a symmetry nothing is averaged before
a stride.

A rotational network (rot4) has the plain network's weights by shape, at the plain network's
channels (`width_policy: parameters`, or `fields`). Taking the maximum over rotated filters changes
its answers: that is a start for training, not an equal network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lensnet.errors import ConfigurationError
from lensnet.layers import (
    FieldChannelAttention,
    FieldDense,
    FieldLayerNormalization,
    FieldNormalization,
    FieldPositionEmbedding,
    FieldScale,
    FieldSqueezeExcite,
    FieldTokens,
    GroupConv2D,
    GroupDepthwiseConv2D,
    GroupRectangularConv2D,
)
from lensnet.models.heads import HEAD_PREFIX

__all__ = ["initialize_from_plain"]


def initialize_from_plain(model: keras.Model, plain: keras.Model) -> list[str]:
    """Copies the weights of a plain network into a symmetric one of the same name.

    Args:
        model: symmetric, of `width_policy="fields"` (rotational: `"parameters"` or `"fields"`).
        plain: of symmetry `none`, with the same width, image channels and options.

    Returns:
        the names of the head's layers that were left as they are, having other shapes.

    Raises:
        ConfigurationError: a layer cannot take the plain network's weights; it is named, with the
            reason. No weight is changed then.
    """
    found, left_out = [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        weights = _converted(layer, _plain_weights(layer, plain))
        problem = _misfit(layer, weights)
        if problem is None:
            found.append((layer, weights))
        elif layer.name.startswith(HEAD_PREFIX):
            left_out.append(layer.name)
        else:
            raise ConfigurationError(
                f"The plain network's weights cannot start this {model.name}: the layer "
                f'"{layer.name}" {problem}.'
            )
    for layer, weights in found:
        layer.set_weights(weights)
    return left_out


def _plain_weights(layer: keras.Layer, plain: keras.Model) -> list[np.ndarray]:
    """The weights of the plain layer of the same name, or of the several that it stands for."""
    parts = [
        other
        for other in plain.layers
        if other.weights and (other.name == layer.name or other.name.startswith(f"{layer.name}."))
    ]
    return [weight for part in parts for weight in part.get_weights()]


def _converted(layer: keras.Layer, weights: list[np.ndarray]) -> list[np.ndarray] | str:
    """The layer's weights, or why there are none."""
    if not weights:
        return "has no counterpart there"
    if isinstance(layer, FieldLayerNormalization):
        return (
            "normalises over all orientations at once, so that no weights give the plain "
            "network's answers"
        )
    for kind, convert in _CONVERSIONS.items():
        if isinstance(layer, kind):
            return convert(layer, weights)
    return weights


def _misfit(layer: keras.Layer, weights: list[np.ndarray] | str) -> str | None:
    if isinstance(weights, str):
        return weights
    theirs = [weight.shape for weight in weights]
    ours = [tuple(variable.shape) for variable in layer.weights]
    if theirs == ours:
        return None
    return (
        f"would take weights of shapes {theirs} and has {ours}. Equal fields are needed: "
        "width_policy: fields (of rot<n>: parameters)"
    )


def _at_identity(kernel: np.ndarray, axis: int, order: int) -> np.ndarray:
    """A kernel that is zero at every element but the identity; the group's axis is put in."""
    zeros = np.zeros_like(kernel)
    return np.stack([kernel, *[zeros] * (order - 1)], axis=axis)


def _convolution(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray] | str:
    kernel, *bias = weights
    if layer.kernel.shape[:2] != kernel.shape[:2]:
        return f"has filters of circular harmonics, which cannot hold the taps of {layer.group}"
    lifting = getattr(layer, "lifting", False)
    order = 1 if lifting else layer.kernel.shape[2]
    return [_at_identity(kernel, 2, order), *bias]


def _depthwise(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray] | str:
    kernel, *bias = weights
    if layer.kernel.shape[:2] != kernel.shape[:2]:
        return f"has filters of circular harmonics, which cannot hold the taps of {layer.group}"
    return [kernel.transpose(0, 1, 3, 2), *bias]


def _dense(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray]:
    kernel, bias = weights
    return [_at_identity(kernel, 0, layer.kernel.shape[0]), bias]


def _tokens(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray]:
    return [weights[0][0]]


def _positions(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray] | str:
    """The vectors of the grid as the free function, and those of the tokens before it."""
    table, first = weights[0][0], layer.prefix_tokens
    if layer.kernel.ndim != 5:
        return (
            f"has positions of circular harmonics, which cannot hold the plain ones ({layer.group})"
        )
    grid = table[first:].reshape(layer.side, layer.side, 1, 1, -1)
    return [grid, table[:first]] if first else [grid]


def _squeeze_excite(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray]:
    order = layer.reduce_kernel.shape[0]
    reduce_kernel, reduce_bias, expand_kernel, expand_bias = weights
    return [
        _at_identity(reduce_kernel, 0, order),
        reduce_bias,
        _at_identity(expand_kernel, 0, order),
        expand_bias,
    ]


def _channel_attention(layer: Any, weights: list[np.ndarray]) -> list[np.ndarray]:
    (kernel,) = weights
    order = layer.kernel.shape[1]
    return [_at_identity(kernel[:, 0, 0], 1, order)]


_CONVERSIONS: dict[type, Callable[[Any, list[np.ndarray]], list[np.ndarray] | str]] = {
    GroupConv2D: _convolution,
    GroupRectangularConv2D: _convolution,
    GroupDepthwiseConv2D: _depthwise,
    FieldSqueezeExcite: _squeeze_excite,
    FieldChannelAttention: _channel_attention,
    FieldDense: _dense,
    FieldPositionEmbedding: _positions,
    FieldTokens: _tokens,
    FieldNormalization: lambda layer, weights: weights,
    FieldScale: lambda layer, weights: [weights[0].reshape(-1)],
}
