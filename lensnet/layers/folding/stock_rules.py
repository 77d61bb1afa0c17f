"""How Keras's own layers fold: the table of rules.

A rule applies stock layers to the input of a layer and returns the output. Layers of Keras that
are not in the table are copied as they are.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.folding.arrays import cast, to_numpy, to_source
from lensnet.layers.folding.fusable_layers import LINEAR_LAYERS, LinearParts
from lensnet.layers.folding.graph import FoldedGraph, Rule, stock_class
from lensnet.layers.folding.plain_convolutions import plain_convolution
from lensnet.layers.folding.scales import normalize, scale

__all__ = ["STOCK_RULES"]

# --- linear layers --------------------------------------------------------------------------------


def _grouped_convolution(graph: FoldedGraph, layer: keras.layers.Conv2D, inputs: Any) -> Any:
    """Keras's convolution in groups: plain ones, concatenated.

    Also where an accelerator is quicker with Keras's own: a folded model may run anywhere, and on
    a CPU that takes many times as long.
    """
    if layer.groups == 1 or layer.data_format != "channels_last":
        return _linear_layer(graph, layer, inputs)
    is_linear = layer.activation is keras.activations.linear
    outputs = plain_convolution(
        graph,
        layer,
        inputs,
        to_numpy(layer.kernel),
        to_numpy(layer.bias),
        layer.name if is_linear else f"{layer.name}.linear",
        groups=layer.groups,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
    )
    if is_linear:
        return outputs
    activation = keras.layers.Activation(
        layer.activation, dtype=layer.dtype_policy, name=layer.name
    )
    return graph.add_layer(activation, outputs)[1]


def _linear_layer(graph: FoldedGraph, layer: keras.Layer, inputs: Any) -> Any:
    """A stock layer of `LINEAR_LAYERS`, which can absorb what follows."""
    kind = stock_class(layer)
    config, weights = layer.get_config(), layer.get_weights()
    is_plain = (
        getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "quantization_mode", None) is None
        and getattr(layer, "lora_rank", None) is None
    )
    is_fusable = is_plain and layer.activation is keras.activations.linear
    channels = layer.compute_output_shape(inputs.shape)[-1]
    if is_fusable and not layer.use_bias and graph.may_absorb(layer):
        config["use_bias"] = True
        weights.append(np.zeros(channels, "float32"))
    permutation = None
    if is_plain and isinstance(layer, _CONTRACTING) and getattr(layer, "groups", 1) == 1:
        inputs, order = graph.source(inputs)
        weights[0] = to_source(weights[0], order, axis=-2)
    elif is_plain and kind is keras.layers.DepthwiseConv2D and layer.depth_multiplier == 1:
        inputs, more = _unpadded(layer, inputs)
        if more is not None:
            config |= {"padding": "same", "kernel_size": [n + more for n in layer.kernel_size]}
            weights[0] = np.pad(weights[0], ((0, more), (0, more), (0, 0), (0, 0)))
        inputs, permutation = graph.source(inputs)
        kernel, *biases = weights
        biases = [to_source(bias, permutation) for bias in biases]
        weights = [to_source(kernel, permutation, axis=2), *biases]
    stock, outputs = graph.add_layer(kind.from_config(config), inputs, weights=weights)
    if is_fusable and stock.use_bias:
        graph.mark_fusable(outputs, LinearParts.of(stock, channels))
    return graph.permute(outputs, permutation)


def _unpadded(layer: keras.layers.DepthwiseConv2D, inputs: Any) -> tuple[Any, int | None]:
    """The map before zeros were put around it, where the convolution can put them there itself.

    By hand takes a copy of the map, which costs more than the convolution. As `"same"` it would
    put them elsewhere if the step does not fit, but not if its filter has zeros more on one side.

    Returns:
        the map, and how many rows and columns of zeros the filter needs behind its own; or the
        input as it is and None.
    """
    zeros = inputs._keras_history.operation
    if not isinstance(zeros, keras.layers.ZeroPadding2D) or layer.padding != "valid":
        return inputs, None
    if zeros.data_format != "channels_last" or tuple(layer.dilation_rate) != (1, 1):
        return inputs, None
    fitting = []
    for axis, step in enumerate(layer.strides):
        (front, behind), taps = zeros.padding[axis], layer.kernel_size[axis]
        side = zeros.input.shape[1 + axis]
        if side is None:
            return inputs, None
        outputs = (side + front + behind - taps) // step + 1
        missing = [(outputs - 1) * step + taps + more - side for more in range(step)]
        fits = {more for more, n in enumerate(missing) if n >= 0 and n // 2 == front}
        fitting.append(fits if outputs == -(-side // step) else set())
    more = min(fitting[0] & fitting[1], default=None)
    return (inputs, None) if more is None else (zeros.input, more)


_CONTRACTING = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Dense,
)
"""Stock layers that sum over all channels, the kernel's last axis but one."""

# --- what is absorbed -----------------------------------------------------------------------------


def _batch_normalization(
    graph: FoldedGraph, layer: keras.layers.BatchNormalization, inputs: Any
) -> Any:
    if layer.axis not in (-1, len(inputs.shape) - 1):
        return graph.copy(layer, inputs)[1]
    weights = map(to_numpy, (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance))
    return normalize(graph, layer, inputs, *weights)


def _einsum_dense(graph: FoldedGraph, layer: keras.layers.EinsumDense, inputs: Any) -> Any:
    """A layer scale, where it is one: "bhwc,c->bhwc"."""
    operands, _, outputs = layer.equation.replace(" ", "").partition("->")
    is_scale = operands == f"{outputs},{outputs[-1:]}" and layer.bias is None
    if not is_scale or layer.activation is not keras.activations.linear:
        return graph.copy(layer, inputs)[1]
    return scale(graph, layer, inputs, to_numpy(layer.kernel))


# --- what takes any channels alike ----------------------------------------------------------------


def _leave_out(graph: FoldedGraph, layer: keras.Layer, inputs: Any) -> Any:
    return graph.leave_out(layer, inputs)


def _channelwise(graph: FoldedGraph, layer: keras.Layer, inputs: Any) -> Any:
    """A copy of a stock layer that treats each channel by itself, of one tensor or several."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return graph.copy(layer, inputs)[1]
    if isinstance(inputs, (list, tuple)):
        sources, permutations = zip(*map(graph.source, inputs), strict=True)
        if not all(_is_same(permutation, permutations[0]) for permutation in permutations):
            return graph.copy(layer, inputs)[1]
        return graph.permute(graph.copy(layer, list(sources))[1], permutations[0])
    source, permutation = graph.source(inputs)
    return graph.permute(graph.copy(layer, source)[1], permutation)


def _is_same(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def _activation(graph: FoldedGraph, layer: keras.layers.Activation, inputs: Any) -> Any:
    if layer.activation in _ELEMENTWISE_ACTIVATIONS:
        return _channelwise(graph, layer, inputs)
    return graph.copy(layer, inputs)[1]


def _leaky_relu(graph: FoldedGraph, layer: keras.layers.LeakyReLU, inputs: Any) -> Any:
    """On a CPU, TensorFlow 2.21 takes 0.2 for the negative slope after "convolution, bias, sum".

    It computes these as one operation with the activation. A model may come to have them by being
    folded, when a normalisation gives its convolution a bias.
    """
    source, permutation = graph.source(inputs)
    is_after_sum = type(source._keras_history.operation).__name__ == "Add"
    if not is_after_sum or layer.negative_slope == 0.2 or layer.negative_slope > 1:
        return _channelwise(graph, layer, inputs)
    source = cast(layer, source)
    maximum = keras.layers.Maximum(dtype=layer.dtype_policy, name=layer.name)
    outputs = graph.add_layer(maximum, [source, ops.multiply(source, layer.negative_slope)])[1]
    return graph.permute(outputs, permutation)


def _concatenate(graph: FoldedGraph, layer: keras.layers.Concatenate, inputs: Any) -> Any:
    if layer.axis not in (-1, len(inputs[0].shape) - 1):
        return graph.copy(layer, inputs)[1]
    parts = [graph.linear_parts(tensor) for tensor in inputs]
    sources, permutations = zip(*map(graph.source, inputs), strict=True)
    outputs = graph.copy(layer, list(sources))[1]
    channels = [tensor.shape[-1] for tensor in inputs]
    if any(permutation is not None for permutation in permutations):
        places = [
            first + (np.arange(count) if permutation is None else permutation)
            for permutation, count, first in zip(
                permutations, channels, np.cumsum([0, *channels[:-1]]), strict=True
            )
        ]
        outputs = graph.permute(outputs, np.concatenate(places))
    known = [part for part in parts if part is not None]
    if len(known) == len(parts):
        graph.mark_fusable(outputs, LinearParts.of_concatenation(zip(known, channels, strict=True)))
    return outputs


def _average_pooling(graph: FoldedGraph, layer: Any, inputs: Any) -> Any:
    outputs = _channelwise(graph, layer, inputs)
    # A mean of scaled values is the scaled mean, where nothing is padded.
    is_mean = getattr(layer, "padding", "valid") == "valid"
    is_last = layer.data_format == "channels_last"
    return graph.propagate_fusable(inputs, outputs) if is_mean and is_last else outputs


def _reshape(graph: FoldedGraph, operation: Any, inputs: Any) -> Any:
    """Rows to a map, or back, as `keras.ops.reshape` does it: what is last may stay last."""
    outputs = graph.copy(operation, inputs)[1]
    keeps_channels = outputs.shape[-1] == inputs.shape[-1]
    return graph.propagate_fusable(inputs, outputs) if keeps_channels else outputs


_Reshape = type(ops.reshape(keras.KerasTensor((1, 1)), (1, 1))._keras_history.operation)
"""The class of the operation, which Keras makes public by its function alone."""

# --- the table ------------------------------------------------------------------------------------

_LEFT_OUT: tuple[type, ...] = (
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

_CHANNELWISE: tuple[type, ...] = (
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

STOCK_RULES: dict[type, Rule] = {
    **dict.fromkeys(LINEAR_LAYERS, Rule(_linear_layer)),
    **dict.fromkeys(_LEFT_OUT, Rule(_leave_out, transparent=True)),
    **dict.fromkeys(_CHANNELWISE, Rule(_channelwise)),
    keras.layers.Activation: Rule(_activation),
    keras.layers.AveragePooling2D: Rule(_average_pooling, transparent=True),
    keras.layers.BatchNormalization: Rule(_batch_normalization, absorbed=True),
    keras.layers.Concatenate: Rule(_concatenate, transparent=True),
    keras.layers.Conv2D: Rule(_grouped_convolution),
    keras.layers.EinsumDense: Rule(_einsum_dense, absorbed=True),
    keras.layers.GlobalAveragePooling2D: Rule(_average_pooling, transparent=True),
    keras.layers.LeakyReLU: Rule(_leaky_relu),
    _Reshape: Rule(_reshape, transparent=True),
}
"""By the exact class of a layer."""
