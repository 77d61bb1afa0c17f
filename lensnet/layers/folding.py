"""Folding: an equal model of stock Keras layers alone, for inference.

A group convolution becomes the plain convolution with its expanded kernel; a normalisation merges
into the convolution before it; fields become ordinary channels. What is left needs no lensnet to
be loaded, and costs what a plain network of as many channels costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.drop_path import DropPath
from lensnet.layers.field_drop_block import FieldDropBlock
from lensnet.layers.field_dropout import FieldDropout
from lensnet.layers.field_normalization import FieldNormalization
from lensnet.layers.group_conv2d import GroupConv2D
from lensnet.layers.group_pool import GroupPool
from lensnet.layers.rotational_conv2d import RotationalConv2D
from lensnet.layers.symmetric_conv import SymmetricConv2D
from lensnet.symmetry import Group

__all__ = ["fold"]


def fold(model: keras.Model) -> keras.Model:
    """Returns an equal model made of stock Keras layers alone, for inference.

    Equal means to rounding: outputs differ by less than 1e-5 of their largest value in float32.
    The weights are copies; the model given is not changed. Layers that act in training alone, such
    as dropout of fields, are left out, and normalisations keep the statistics they have.

    Args:
        model: a functional or sequential model, built, of our layers and stock ones.

    Returns:
        a functional `keras.Model` with the same inputs, outputs and name.

    Raises:
        ValueError: a layer of the model is neither stock nor one of ours that can be folded; it
            is named.

    Example:

    >>> from lensnet.models import create
    >>> model = create("resnet18", input_shape=(64, 64, 1), num_outputs=2, symmetry="c4")
    >>> {type(layer).__module__.split(".")[0] for layer in fold(model).layers}
    {'keras'}
    """
    if not isinstance(model, keras.Sequential) and not hasattr(model, "operations"):
        raise ValueError(f"Only functional and sequential models can be folded; got {model!r}.")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    return _Folding(model).run()


class _Folding:
    """One folding: what is known of the graph while it is copied, layer by layer."""

    def __init__(self, model: keras.Model):
        self.model = model
        self.uses = _uses(model)
        # By the identity of a tensor: the tensor, and the stock layer that made it and into which
        # a normalisation can still merge.
        self.open: dict[int, tuple[Any, keras.layers.Layer]] = {}

    def run(self) -> keras.Model:
        def apply(layer: Any, *arguments: Any, **keywords: Any) -> Any:
            return self.apply(layer, *arguments, **keywords)

        return keras.models.clone_model(
            self.model, clone_function=lambda layer: layer, call_function=apply
        )

    def apply(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        for kind, stock in _STOCK.items():
            if isinstance(layer, kind):
                return stock(self, layer, *arguments)
        if isinstance(layer, keras.Model):
            return fold(layer)(*arguments, **keywords)
        if not type(layer).__module__.startswith("keras."):
            raise ValueError(
                f'The layer "{layer.name}" ({type(layer).__name__}) has no form of stock Keras '
                "layers that is known here, so the model cannot be folded."
            )
        if not isinstance(layer, keras.layers.Layer):
            return layer(*arguments, **keywords)  # an operation such as keras.ops.add: no weights
        config, weights = layer.get_config(), layer.get_weights()
        merges = isinstance(layer, _LINEAR)
        if merges and not layer.use_bias:
            # Where a normalisation's offset will go.
            config["use_bias"] = True
            weights = [*weights, np.zeros(layer.compute_output_shape(arguments[0].shape)[-1])]
        copied = type(layer).from_config(config)
        outputs = copied(*arguments, **keywords)
        copied.set_weights(weights)
        if merges:
            self.leave_open(layer, copied, outputs)
        return outputs

    def leave_open(self, layer: Any, stock: keras.layers.Layer, outputs: Any) -> None:
        """Lets a normalisation that follows merge into a layer, if nothing else sees its output."""
        if self.uses[layer.name] == 1 and stock.activation is keras.activations.linear:
            self.open[id(outputs)] = (outputs, stock)

    def take_open(self, inputs: Any) -> keras.layers.Layer | None:
        """The layer that made a tensor, if a normalisation of the tensor can merge into it."""
        _, stock = self.open.pop(id(inputs), (None, None))
        return stock

    def convolution(
        self, layer: SymmetricConv2D, inputs: Any, kernel: Any, bias: Any, name: str
    ) -> tuple[keras.layers.Conv2D, Any]:
        """Applies the plain convolution with a layer's stride and padding, and a kernel of it."""
        kernel = np.asarray(ops.convert_to_numpy(kernel))
        padding = layer.padding
        if padding == "same" and layer.strides > 1:
            pixels = layer.dilation_rate * (layer.kernel_size - 1) // 2
            if pixels:
                inputs = keras.layers.ZeroPadding2D(pixels, name=f"{name}.pad")(inputs)
            padding = "valid"
        # No backend has a stride and a dilation at once.
        both = layer.strides > 1 and layer.dilation_rate > 1
        plain = keras.layers.Conv2D(
            kernel.shape[-1],
            kernel.shape[:2],
            strides=1 if both else layer.strides,
            padding=padding,
            dilation_rate=layer.dilation_rate,
            dtype=layer.dtype_policy,
            name=name,
        )
        outputs = plain(inputs)
        offset = np.zeros(kernel.shape[-1]) if bias is None else ops.convert_to_numpy(bias)
        plain.set_weights([kernel, offset])
        if both:
            step = layer.strides
            outputs = keras.layers.MaxPooling2D(1, strides=step, name=f"{name}.stride")(outputs)
        return plain, outputs


def _uses(model: keras.Model) -> Counter[str]:
    """How often the output of each layer, by its name, is used, the model's outputs included."""
    config = model.get_config()
    uses: Counter[str] = Counter()
    for layer in config["layers"]:
        uses.update(_sources(layer["inbound_nodes"]))
    uses.update(name for name, _, _ in _histories(config["output_layers"]))
    return uses


def _sources(nodes: Any) -> Iterator[str]:
    """The names of the layers whose outputs stand in a layer's serialised inbound nodes."""
    if isinstance(nodes, dict):
        if nodes.get("class_name") == "__keras_tensor__":
            yield nodes["config"]["keras_history"][0]
        else:
            for value in nodes.values():
                yield from _sources(value)
    elif isinstance(nodes, (list, tuple)):
        for value in nodes:
            yield from _sources(value)


def _histories(outputs: Any) -> Iterator[tuple[str, int, int]]:
    """The (layer, node, tensor) triples of a model's serialised outputs, whatever their nesting."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if outputs and isinstance(outputs[0], str):
        yield tuple(outputs)
    else:
        for value in outputs:
            yield from _histories(value)


# Stock layers into which a normalisation can merge.
_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)

# --- the stock form of each layer -----------------------------------------------------------------


def _left_out(folding: _Folding, layer: keras.Layer, inputs: Any) -> Any:
    """What acts in training alone."""
    return inputs


def _group_convolution(folding: _Folding, layer: GroupConv2D, inputs: Any) -> Any:
    if layer.groups > 1:
        raise ValueError(
            f'The layer "{layer.name}" convolves in {layer.groups} groups, for which folding has '
            "no form yet."
        )
    plain, outputs = folding.convolution(
        layer, inputs, layer.expanded_kernel(), layer.expanded_bias(), layer.name
    )
    folding.leave_open(layer, plain, outputs)
    return outputs


def _rotational_convolution(folding: _Folding, layer: RotationalConv2D, inputs: Any) -> Any:
    if layer.rotate == "inputs":
        raise ValueError(
            f'The layer "{layer.name}" turns its inputs (symmetry rot4_inputs), for which there is '
            "no stock layer, so the model cannot be folded."
        )
    responses = [
        folding.convolution(layer, inputs, kernel, layer.bias, f"{layer.name}.turned{k}")[1]
        for k, kernel in enumerate(ops.unstack(layer.turned_kernels(), layer.rotations))
    ]
    return keras.layers.Maximum(name=layer.name)(responses)


def _field_normalization(folding: _Folding, layer: FieldNormalization, inputs: Any) -> Any:
    order = inputs.shape[-1] // layer.moving_mean.shape[0]

    def to_channels(weight: Any, default: float) -> np.ndarray:
        if weight is None:
            return np.full(inputs.shape[-1], default, "float32")
        return np.repeat(ops.convert_to_numpy(weight), order)

    return _normalize(
        folding,
        layer,
        inputs,
        gamma=to_channels(layer.gamma, 1.0),
        beta=to_channels(layer.beta, 0.0),
        mean=to_channels(layer.moving_mean, 0.0),
        variance=to_channels(layer.moving_variance, 1.0),
    )


def _batch_normalization(
    folding: _Folding, layer: keras.layers.BatchNormalization, inputs: Any
) -> Any:
    channels = inputs.shape[-1]
    if layer.axis not in (-1, len(inputs.shape) - 1):
        raise ValueError(f'The layer "{layer.name}" normalises axis {layer.axis}, not the last.')
    gamma = np.ones(channels) if layer.gamma is None else ops.convert_to_numpy(layer.gamma)
    beta = np.zeros(channels) if layer.beta is None else ops.convert_to_numpy(layer.beta)
    mean = ops.convert_to_numpy(layer.moving_mean)
    variance = ops.convert_to_numpy(layer.moving_variance)
    return _normalize(folding, layer, inputs, gamma, beta, mean, variance)


def _normalize(
    folding: _Folding,
    layer: Any,
    inputs: Any,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
) -> Any:
    """Merges a normalisation of channels into the convolution before it, or makes a stock one."""
    linear = folding.take_open(inputs)
    if linear is not None:
        scale = gamma / np.sqrt(variance.astype("float64") + layer.epsilon)
        kernel, bias = linear.get_weights()
        is_depthwise = isinstance(linear, keras.layers.DepthwiseConv2D)
        by_filter = scale.reshape(kernel.shape[-2:]) if is_depthwise else scale
        linear.set_weights([kernel * by_filter, (bias - mean) * scale + beta])
        return inputs
    stock = keras.layers.BatchNormalization(
        epsilon=layer.epsilon, dtype=layer.dtype_policy, name=layer.name
    )
    outputs = stock(inputs)
    stock.set_weights([gamma, beta, mean, variance])
    return outputs


def _group_pool(folding: _Folding, layer: GroupPool, inputs: Any) -> Any:
    *outer, channels = inputs.shape[1:]
    order = Group.parse(layer.group).order
    fields = channels // order
    pool = {
        "max": keras.layers.GlobalMaxPooling1D,
        "mean": keras.layers.GlobalAveragePooling1D,
    }[layer.mode]
    x = keras.layers.Reshape((int(np.prod(outer)) * fields, order), name=f"{layer.name}.fields")(
        inputs
    )
    x = pool(data_format="channels_first", dtype=layer.dtype_policy, name=layer.name)(x)
    return keras.layers.Reshape((*outer, fields), name=f"{layer.name}.shape")(x) if outer else x


_STOCK: dict[type, Callable[..., Any]] = {
    GroupConv2D: _group_convolution,
    RotationalConv2D: _rotational_convolution,
    FieldNormalization: _field_normalization,
    keras.layers.BatchNormalization: _batch_normalization,
    GroupPool: _group_pool,
    DropPath: _left_out,
    FieldDropout: _left_out,
    FieldDropBlock: _left_out,
}
