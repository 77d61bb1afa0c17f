"""What each layer becomes when it is folded: the table of stock forms.

A form is a function of the folding, the layer and its input that applies stock layers to the input
and returns the output. Layers of Keras that are not in the table are copied as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.activation import Activation
from lensnet.layers.accelerated.batch_normalization import BatchNormalization
from lensnet.layers.accelerated.depthwise_conv2d import DepthwiseConv2D
from lensnet.layers.accelerated.grouped_conv2d import GroupedConv2D
from lensnet.layers.convolution.group_conv2d import GroupConv2D
from lensnet.layers.convolution.group_depthwise_conv2d import GroupDepthwiseConv2D
from lensnet.layers.convolution.group_rectangular_conv2d import GroupRectangularConv2D
from lensnet.layers.convolution.group_separable_conv2d import GroupSeparableConv2D
from lensnet.layers.convolution.rotational_conv2d import RotationalConv2D
from lensnet.layers.convolution.rotational_depthwise_conv2d import RotationalDepthwiseConv2D
from lensnet.layers.convolution.rotational_rectangular_conv2d import RotationalRectangularConv2D
from lensnet.layers.fields.field_channel_attention import FieldChannelGate
from lensnet.layers.fields.field_drop_block import FieldDropBlock
from lensnet.layers.fields.field_dropout import FieldDropout
from lensnet.layers.fields.field_layer_normalization import FieldLayerNormalization
from lensnet.layers.fields.field_normalization import FieldNormalization
from lensnet.layers.fields.field_scale import FieldScale
from lensnet.layers.fields.field_squeeze_excite import FieldGate
from lensnet.layers.fields.group_pool import GroupPool
from lensnet.layers.fields.subgroup_restriction import SubgroupRestriction
from lensnet.layers.folding.arrays import cast, multiply, to_numpy, to_source
from lensnet.layers.folding.convolution_rules import (
    group_convolution,
    group_depthwise_convolution,
    group_rectangular_convolution,
    group_separable_convolution,
    grouped_convolution,
    linear_layer,
    rotational_convolution,
    rotational_depthwise_convolution,
    rotational_rectangular_convolution,
)
from lensnet.layers.folding.field_rules import (
    circular_mask,
    field_channel_gate,
    field_gate,
    field_layer_normalization,
    group_averaged,
    group_pool,
    subgroup_restriction,
    symmetric_downsample,
)
from lensnet.layers.folding.fusable_layers import LINEAR_LAYERS, LinearParts
from lensnet.layers.spatial.circular_mask import CircularMask
from lensnet.layers.spatial.drop_path import DropPath
from lensnet.layers.spatial.group_averaged import GroupAveraged
from lensnet.layers.spatial.symmetric_downsample2d import SymmetricDownsample2D
from lensnet.symmetry import Group

if TYPE_CHECKING:
    from lensnet.layers.folding.graph import Folding

__all__ = ["HANDING_ON", "MERGING", "STOCK_FORMS"]

# --- what merges ----------------------------------------------------------------------------------


def _field_normalization(folding: Folding, layer: FieldNormalization, inputs: Any) -> Any:
    order = Group.parse(layer.group).order

    def to_channels(weight: Any) -> np.ndarray | None:
        return None if weight is None else np.repeat(to_numpy(weight), order)

    gamma, beta, mean, variance = map(
        to_channels, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    return _normalize(folding, layer, inputs, gamma, beta, mean, variance)


def _batch_normalization(
    folding: Folding, layer: keras.layers.BatchNormalization, inputs: Any
) -> Any:
    if layer.axis not in (-1, len(inputs.shape) - 1):
        return folding.copy(layer, inputs)[1]
    weights = map(to_numpy, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance))
    return _normalize(folding, layer, inputs, *weights)


def _normalize(
    folding: Folding, layer: Any, inputs: Any, gamma: Any, beta: Any, mean: Any, variance: Any
) -> Any:
    """Merges a normalisation of channels into what is before it, or makes a stock one."""
    scale = 1 / np.sqrt(variance.astype("float64") + layer.epsilon)
    scale = scale if gamma is None else gamma * scale
    offset = -mean * scale if beta is None else beta - mean * scale
    if folding.merge(layer, inputs, scale, offset):
        return inputs
    source, permutation = folding.source(inputs)
    stock = keras.layers.BatchNormalization(
        axis=-1,
        epsilon=layer.epsilon,
        center=beta is not None,
        scale=gamma is not None,
        dtype=layer.dtype_policy,
        name=layer.name,
    )
    values = [values for values in (gamma, beta, mean, variance) if values is not None]
    weights = [to_source(values, permutation) for values in values]
    return folding.permute(folding.put(stock, source, weights=weights)[1], permutation)


def _field_scale(folding: Folding, layer: FieldScale, inputs: Any) -> Any:
    return _scale(folding, layer, inputs, to_numpy(layer.expanded_scale()))


def _einsum_dense(folding: Folding, layer: keras.layers.EinsumDense, inputs: Any) -> Any:
    """A layer scale, where it is one: "bhwc,c->bhwc"."""
    operands, _, outputs = layer.equation.replace(" ", "").partition("->")
    is_scale = operands == f"{outputs},{outputs[-1:]}" and layer.bias is None
    if not is_scale or layer.activation is not keras.activations.linear:
        return folding.copy(layer, inputs)[1]
    return _scale(folding, layer, inputs, to_numpy(layer.kernel))


def _scale(folding: Folding, layer: Any, inputs: Any, scale: np.ndarray) -> Any:
    """Merges a scale of channels into what is before it, or multiplies by it."""
    if folding.merge(layer, inputs, scale, np.zeros(len(scale))):
        return inputs
    return multiply(folding, layer, inputs, scale)


# --- what takes any channels alike ----------------------------------------------------------------


def _left_out(folding: Folding, layer: keras.Layer, inputs: Any) -> Any:
    """What acts in training alone, or not at all."""
    if inputs.dtype == layer.compute_dtype:
        return inputs
    identity = keras.layers.Identity(dtype=layer.dtype_policy, name=layer.name)
    return folding.put_by_channel(identity, inputs)


def _by_channel(folding: Folding, layer: keras.Layer, inputs: Any) -> Any:
    """A copy of a stock layer that treats each channel by itself, of one tensor or several."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return folding.copy(layer, inputs)[1]
    if isinstance(inputs, (list, tuple)):
        sources, permutations = zip(*map(folding.source, inputs), strict=True)
        if not all(_is_same(permutation, permutations[0]) for permutation in permutations):
            return folding.copy(layer, inputs)[1]
        return folding.permute(folding.copy(layer, list(sources))[1], permutations[0])
    source, permutation = folding.source(inputs)
    return folding.permute(folding.copy(layer, source)[1], permutation)


def _is_same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def _activation(folding: Folding, layer: keras.layers.Activation, inputs: Any) -> Any:
    if layer.activation in _ELEMENTWISE_ACTIVATIONS:
        return _by_channel(folding, layer, inputs)
    return folding.copy(layer, inputs)[1]


def _leaky_relu(folding: Folding, layer: keras.layers.LeakyReLU, inputs: Any) -> Any:
    """On a CPU, TensorFlow 2.21 takes 0.2 for the slope after "convolution, bias, sum".

    It computes these as one operation with the activation. A model may come to have them by being
    folded, when a normalisation gives its convolution a bias.
    """
    source, permutation = folding.source(inputs)
    is_after_sum = type(source._keras_history.operation).__name__ == "Add"
    if not is_after_sum or layer.negative_slope == 0.2 or layer.negative_slope > 1:
        return _by_channel(folding, layer, inputs)
    source = cast(layer, source)
    maximum = keras.layers.Maximum(dtype=layer.dtype_policy, name=layer.name)
    outputs = folding.put(maximum, [source, ops.multiply(source, layer.negative_slope)])[1]
    return folding.permute(outputs, permutation)


def _concatenate(folding: Folding, layer: keras.layers.Concatenate, inputs: Any) -> Any:
    if layer.axis not in (-1, len(inputs[0].shape) - 1):
        return folding.copy(layer, inputs)[1]
    parts = [folding.linear_parts(tensor) for tensor in inputs]
    sources, permutations = zip(*map(folding.source, inputs), strict=True)
    outputs = folding.copy(layer, list(sources))[1]
    channels = [tensor.shape[-1] for tensor in inputs]
    if any(permutation is not None for permutation in permutations):
        places = [
            first + (np.arange(count) if permutation is None else permutation)
            for permutation, count, first in zip(
                permutations, channels, np.cumsum([0, *channels[:-1]]), strict=True
            )
        ]
        outputs = folding.permute(outputs, np.concatenate(places))
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        folding.leave_open(outputs, LinearParts.of_row(zip(known, channels, strict=True)))
    return outputs


def _average_pooling(folding: Folding, layer: Any, inputs: Any) -> Any:
    outputs = _by_channel(folding, layer, inputs)
    # A mean of scaled values is the scaled mean, where nothing is padded.
    is_mean = getattr(layer, "padding", "valid") == "valid"
    is_last = layer.data_format == "channels_last"
    return folding.hand_on(inputs, outputs) if is_mean and is_last else outputs


# --- the table ------------------------------------------------------------------------------------

_LEFT_OUT: tuple[type, ...] = (
    DropPath,
    FieldDropBlock,
    FieldDropout,
    keras.layers.ActivityRegularization,
    keras.layers.AlphaDropout,
    keras.layers.Dropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
)

_BY_CHANNEL: tuple[type, ...] = (
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Cropping2D,
    keras.layers.ELU,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.ReLU,
    keras.layers.Subtract,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
)

_ELEMENTWISE_ACTIVATIONS = tuple(
    getattr(keras.activations, name)
    for name in (
        *("elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear"),
        *("mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh"),
    )
)

STOCK_FORMS: dict[type, Callable[..., Any]] = {
    **dict.fromkeys(LINEAR_LAYERS, linear_layer),
    **dict.fromkeys(_LEFT_OUT, _left_out),
    **dict.fromkeys(_BY_CHANNEL, _by_channel),
    Activation: _activation,
    BatchNormalization: _batch_normalization,
    CircularMask: circular_mask,
    DepthwiseConv2D: linear_layer,
    FieldChannelGate: field_channel_gate,
    FieldGate: field_gate,
    FieldLayerNormalization: field_layer_normalization,
    FieldNormalization: _field_normalization,
    FieldScale: _field_scale,
    GroupAveraged: group_averaged,
    GroupConv2D: group_convolution,
    GroupDepthwiseConv2D: group_depthwise_convolution,
    GroupPool: group_pool,
    GroupRectangularConv2D: group_rectangular_convolution,
    GroupSeparableConv2D: group_separable_convolution,
    GroupedConv2D: grouped_convolution,
    RotationalConv2D: rotational_convolution,
    RotationalDepthwiseConv2D: rotational_depthwise_convolution,
    RotationalRectangularConv2D: rotational_rectangular_convolution,
    SubgroupRestriction: subgroup_restriction,
    SymmetricDownsample2D: symmetric_downsample,
    keras.layers.Activation: _activation,
    keras.layers.AveragePooling2D: _average_pooling,
    keras.layers.BatchNormalization: _batch_normalization,
    keras.layers.Concatenate: _concatenate,
    keras.layers.Conv2D: grouped_convolution,
    keras.layers.EinsumDense: _einsum_dense,
    keras.layers.GlobalAveragePooling2D: _average_pooling,
    keras.layers.LeakyReLU: _leaky_relu,
}

MERGING: tuple[type, ...] = (
    BatchNormalization,
    FieldNormalization,
    FieldScale,
    SubgroupRestriction,
    keras.layers.BatchNormalization,
    keras.layers.EinsumDense,
)
"""Layers that merge into linear layers before them."""

HANDING_ON: tuple[type, ...] = (
    *_LEFT_OUT,
    SymmetricDownsample2D,
    keras.layers.AveragePooling2D,
    keras.layers.Concatenate,
    keras.layers.GlobalAveragePooling2D,
)
"""Layers that what follows may merge through, into what is before them."""
