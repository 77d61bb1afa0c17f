"""What the convolutional layers become when they are folded, see `folding.stock_rules`.

Every function takes the folding, the layer and its input, and returns the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.convolution.filter_rotation import circular_mask
from lensnet.layers.convolution.group_conv2d import GroupConv2D
from lensnet.layers.convolution.group_depthwise_conv2d import GroupDepthwiseConv2D
from lensnet.layers.convolution.group_rectangular_conv2d import GroupRectangularConv2D
from lensnet.layers.convolution.group_separable_conv2d import GroupSeparableConv2D
from lensnet.layers.convolution.rotational_conv2d import RotationalConv2D
from lensnet.layers.convolution.rotational_depthwise_conv2d import RotationalDepthwiseConv2D
from lensnet.layers.convolution.rotational_rectangular_conv2d import RotationalRectangularConv2D
from lensnet.layers.folding.arrays import multiply, stock_kind, to_numpy, to_source, turn
from lensnet.layers.folding.fusable_layers import LinearParts
from lensnet.layers.folding.plain_convolutions import (
    convolve,
    convolve_depthwise,
    convolve_rectangle,
    largest,
    pad,
    plain_convolution,
    side_by_side,
)

if TYPE_CHECKING:
    from lensnet.layers.folding.graph import Folding

__all__ = [
    "group_convolution",
    "group_depthwise_convolution",
    "group_rectangular_convolution",
    "group_separable_convolution",
    "grouped_convolution",
    "linear_layer",
    "rotational_convolution",
    "rotational_depthwise_convolution",
    "rotational_rectangular_convolution",
]


# --- our layers -----------------------------------------------------------------------------------


def group_convolution(folding: Folding, layer: GroupConv2D, inputs: Any) -> Any:
    kernel, bias = layer.expanded_kernel(), layer.expanded_bias()
    padded = pad(folding, layer, inputs)
    return convolve(folding, layer, padded, kernel, bias, layer.name, groups=layer.groups)


def group_depthwise_convolution(folding: Folding, layer: GroupDepthwiseConv2D, inputs: Any) -> Any:
    kernel, bias = layer.expanded_kernel(), layer.expanded_bias()
    padded = pad(folding, layer, inputs)
    return convolve_depthwise(folding, layer, padded, kernel, bias, layer.name)


def group_separable_convolution(folding: Folding, layer: GroupSeparableConv2D, inputs: Any) -> Any:
    # As quick as one SeparableConv2D, which does the same two steps.
    kernel, name = layer.expanded_depthwise_kernel(), f"{layer.name}.depthwise"
    padded = pad(folding, layer, inputs)
    x = convolve_depthwise(folding, layer, padded, kernel, None, name, is_last=False)
    kernel, bias = to_numpy(layer.expanded_pointwise_kernel()), to_numpy(layer.expanded_bias())
    return plain_convolution(folding, layer, x, kernel, bias, layer.name)


def group_rectangular_convolution(
    folding: Folding, layer: GroupRectangularConv2D, inputs: Any
) -> Any:
    kernels, bias = layer.expanded_kernels(), to_numpy(layer.expanded_bias())
    if len(kernels) == 1:
        return convolve_rectangle(folding, layer, inputs, kernels[0], bias, layer.name)
    biases = [None, None] if bias is None else [bias[::2], bias[1::2]]
    halves = [
        convolve_rectangle(folding, layer, inputs, kernel, half, f"{layer.name}.elements{first}")
        for first, (kernel, half) in enumerate(zip(kernels, biases, strict=True))
    ]
    outputs = side_by_side(folding, layer, halves)
    # The channels of even and odd elements alternate, and came one half after the other.
    return folding.permute(outputs, np.arange(outputs.shape[-1]).reshape(2, -1).T.reshape(-1))


def rotational_convolution(folding: Folding, layer: RotationalConv2D, inputs: Any) -> Any:
    if layer.rotate == "inputs":
        kernel = to_numpy(layer.kernel)
        if layer.circular_mask:
            kernel = kernel * circular_mask(layer.kernel_size)[:, :, None, None]
        kernels = [kernel] * layer.rotations
        turned = [
            pad(folding, layer, _turned(folding, layer, inputs, k)) for k in range(layer.rotations)
        ]
    else:
        kernels = ops.unstack(layer.turned_kernels(), layer.rotations)
        turned = [pad(folding, layer, inputs)] * layer.rotations
    name, groups = layer.name, layer.groups
    responses = [
        convolve(folding, layer, padded, kernel, layer.bias, f"{name}.turned{k}", groups=groups)
        for k, (padded, kernel) in enumerate(zip(turned, kernels, strict=True))
    ]
    return largest(folding, layer, responses)


def _turned(folding: Folding, layer: RotationalConv2D, inputs: Any, k: int) -> Any:
    """The image turned by `k * 360 / rotations` degrees, as by a layer that turns its inputs."""
    if 4 * k % layer.rotations == 0:
        return turn(inputs, 4 * k // layer.rotations)
    size = inputs.shape[1]
    angle, centre = 2 * np.pi * k / layer.rotations, (size - 1) / 2
    cosine, sine = np.cos(angle), np.sin(angle)
    # Output pixel (x, y), y downwards, shows input pixel (a x + b y + c, ...).
    rows = [
        *(cosine, -sine, centre * (1 - cosine + sine)),
        *(sine, cosine, centre * (1 - sine - cosine)),
        *(0.0, 0.0),
    ]
    # One for each image, in a batch of unknown size.
    transforms = ops.zeros_like(inputs[:, 0, 0, :1]) + np.array([rows], "float32")
    turned = ops.image.affine_transform(
        inputs, transforms, interpolation="bilinear", data_format="channels_last"
    )
    return multiply(folding, layer, turned, circular_mask(size)[:, :, None])


def rotational_depthwise_convolution(
    folding: Folding, layer: RotationalDepthwiseConv2D, inputs: Any
) -> Any:
    padded, padding = pad(folding, layer, inputs)
    source, permutation = folding.source(padded)
    bias = to_source(to_numpy(layer.bias), permutation)
    responses = []
    for k, kernel in enumerate(ops.unstack(layer.turned_kernels(), layer.rotations)):
        kernel = to_source(to_numpy(kernel), permutation, axis=2)
        name = f"{layer.name}.turned{k}"
        responses.append(convolve_depthwise(folding, layer, (source, padding), kernel, bias, name))
    return folding.permute(largest(folding, layer, responses), permutation)


def rotational_rectangular_convolution(
    folding: Folding, layer: RotationalRectangularConv2D, inputs: Any
) -> Any:
    responses = [
        convolve_rectangle(folding, layer, inputs, kernel, layer.bias, f"{layer.name}.turned{k}")
        for k, kernel in enumerate(layer.turned_kernels())
    ]
    return largest(folding, layer, responses)


# --- stock layers ---------------------------------------------------------------------------------


def grouped_convolution(folding: Folding, layer: keras.layers.Conv2D, inputs: Any) -> Any:
    """Keras's convolution in groups: plain ones side by side, as `GroupedConv2D` computes it.

    Also where an accelerator is quicker with Keras's own: a folded model may run anywhere, and on
    a CPU that takes many times as long.
    """
    if layer.groups == 1 or layer.data_format != "channels_last":
        return linear_layer(folding, layer, inputs)
    is_linear = layer.activation is keras.activations.linear
    outputs = plain_convolution(
        folding,
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
    return folding.put(activation, outputs)[1]


def linear_layer(folding: Folding, layer: keras.Layer, inputs: Any) -> Any:
    """A stock layer of `LINEAR_LAYERS`, which what follows can merge into."""
    kind = stock_kind(layer)
    config, weights = layer.get_config(), layer.get_weights()
    is_plain = (
        getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "quantization_mode", None) is None
        and getattr(layer, "lora_rank", None) is None
    )
    is_open = is_plain and layer.activation is keras.activations.linear
    channels = layer.compute_output_shape(inputs.shape)[-1]
    if is_open and not layer.use_bias and folding.may_merge(layer):
        config["use_bias"] = True
        weights.append(np.zeros(channels, "float32"))
    permutation = None
    if is_plain and isinstance(layer, _CONTRACTING) and getattr(layer, "groups", 1) == 1:
        inputs, order = folding.source(inputs)
        weights[0] = to_source(weights[0], order, axis=-2)
    elif is_plain and kind is keras.layers.DepthwiseConv2D and layer.depth_multiplier == 1:
        inputs, more = _unpadded(layer, inputs)
        if more is not None:
            config |= {"padding": "same", "kernel_size": [n + more for n in layer.kernel_size]}
            weights[0] = np.pad(weights[0], ((0, more), (0, more), (0, 0), (0, 0)))
        inputs, permutation = folding.source(inputs)
        kernel, *biases = weights
        biases = [to_source(bias, permutation) for bias in biases]
        weights = [to_source(kernel, permutation, axis=2), *biases]
    stock, outputs = folding.put(kind.from_config(config), inputs, weights=weights)
    if is_open and stock.use_bias:
        folding.leave_open(outputs, LinearParts.of(stock, channels))
    return folding.permute(outputs, permutation)


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
