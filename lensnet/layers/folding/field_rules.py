"""What the layers of fields, of maps and of whole models become when they are folded.

See `folding.stock_rules`. Every function takes the folding, the layer and its input, and
returns the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.fields.field_channel_attention import FieldChannelGate
from lensnet.layers.fields.field_layer_normalization import FieldLayerNormalization
from lensnet.layers.fields.field_squeeze_excite import FieldGate
from lensnet.layers.fields.group_pool import GroupPool
from lensnet.layers.fields.subgroup_restriction import SubgroupRestriction
from lensnet.layers.folding.arrays import cast, multiply, to_numpy, to_source, turn
from lensnet.layers.spatial.circular_mask import CircularMask
from lensnet.layers.spatial.group_averaged import GroupAveraged
from lensnet.layers.spatial.symmetric_downsample2d import SymmetricDownsample2D
from lensnet.symmetry import Group

if TYPE_CHECKING:
    from lensnet.layers.folding.graph import Folding

__all__ = [
    "circular_mask",
    "field_channel_gate",
    "field_gate",
    "field_layer_normalization",
    "group_averaged",
    "group_pool",
    "subgroup_restriction",
    "symmetric_downsample",
]


def symmetric_downsample(folding: Folding, layer: SymmetricDownsample2D, inputs: Any) -> Any:
    rows, columns, name = layer._rows, layer._columns, layer.name
    options = {"data_format": "channels_last", "dtype": layer.dtype_policy}
    _, height, width, channels = inputs.shape
    crop = (
        (rows.inside.start, height - rows.inside.stop),
        (columns.inside.start, width - columns.inside.stop),
    )
    x = inputs
    if any(map(any, crop)):
        cropping = keras.layers.Cropping2D(crop, name=f"{name}.crop", **options)
        x = folding.put_by_channel(cropping, x)
    pads = (rows.pad_pixels, columns.pad_pixels)
    if any(pads):
        padding = keras.layers.ZeroPadding2D(pads, name=f"{name}.pad", **options)
        x = folding.put_by_channel(padding, x)
    taps = np.multiply.outer(rows.taps, columns.taps).astype("float32")
    sums = np.multiply.outer(rows.sums, columns.sums).astype("float32")
    blur = keras.layers.DepthwiseConv2D(
        taps.shape,
        strides=layer.strides,
        use_bias=False,
        name=name,
        **options,
    )
    kernel = np.tile(taps[:, :, None, None], (1, 1, channels, 1))
    x = folding.put_by_channel(blur, x, weights=[kernel])
    if (sums != 1).any():
        x = multiply(folding, layer, x, 1 / sums[:, :, None])
    # A constant stays constant, so that a scale and an offset may as well come before.
    return folding.hand_on(inputs, x)


def circular_mask(folding: Folding, layer: CircularMask, inputs: Any) -> Any:
    mask = to_numpy(layer.call(ops.ones((1, *inputs.shape[1:3], 1))))[0]
    return multiply(folding, layer, inputs, mask)


def subgroup_restriction(folding: Folding, layer: SubgroupRestriction, inputs: Any) -> Any:
    places = layer.call(ops.arange(inputs.shape[-1])[None])
    return folding.permute(cast(layer, inputs), to_numpy(places)[0])


def field_layer_normalization(folding: Folding, layer: FieldLayerNormalization, inputs: Any) -> Any:
    source, permutation = folding.source(inputs)
    order = Group.parse(layer.group).order
    stock = keras.layers.LayerNormalization(
        axis=-1,
        epsilon=layer.epsilon,
        center=layer.center,
        scale=layer.scale,
        dtype=layer.dtype_policy,
        name=layer.name,
    )
    weights = [
        to_source(np.repeat(to_numpy(weight), order), permutation)
        for weight in (layer.gamma, layer.beta)
        if weight is not None
    ]
    return folding.permute(folding.put(stock, source, weights=weights)[1], permutation)


def field_gate(folding: Folding, layer: FieldGate, inputs: Any) -> Any:
    gate = _means(folding, layer, inputs)
    for step, (kernel, bias), activation in zip(
        ("reduce", "expand"),
        layer.expanded_weights(),
        (layer.activation, layer.gate_activation),
        strict=True,
    ):
        dense = keras.layers.Dense(
            kernel.shape[-1],
            activation=activation,
            use_bias=bias is not None,
            dtype=layer.dtype_policy,
            name=f"{layer.name}.{step}",
        )
        weights = [to_numpy(values) for values in (kernel, bias) if values is not None]
        gate = folding.put(dense, gate, weights=weights)[1]
    return _gated(folding, layer, inputs, gate)


def field_channel_gate(folding: Folding, layer: FieldChannelGate, inputs: Any) -> Any:
    kernel, channels = to_numpy(layer.expanded_kernel()), inputs.shape[-1]
    order = kernel.shape[-1]
    means = _means(folding, layer, inputs)
    fields = keras.layers.Reshape(
        (channels // order, order), dtype=layer.dtype_policy, name=f"{layer.name}.fields"
    )
    convolution = keras.layers.Conv1D(
        order,
        kernel.shape[0],
        padding="same",
        activation="sigmoid",
        use_bias=False,
        data_format="channels_last",
        dtype=layer.dtype_policy,
        name=f"{layer.name}.convolution",
    )
    gate = folding.put(convolution, folding.put(fields, means)[1], weights=[kernel])[1]
    return _gated(folding, layer, inputs, gate)


def _means(folding: Folding, layer: keras.Layer, inputs: Any) -> Any:
    """The mean of each channel over all axes between, shape (batch, channels)."""
    rank = len(inputs.shape)
    if rank == 2:
        return inputs
    kind = {
        3: keras.layers.GlobalAveragePooling1D,
        4: keras.layers.GlobalAveragePooling2D,
        5: keras.layers.GlobalAveragePooling3D,
    }[rank]
    pool = kind(data_format="channels_last", dtype=layer.dtype_policy, name=f"{layer.name}.mean")
    return folding.put(pool, inputs)[1]


def _gated(folding: Folding, layer: keras.Layer, inputs: Any, gate: Any) -> Any:
    """A tensor times its channels' gates."""
    rank = len(inputs.shape)
    shape = (*(1 for _ in range(rank - 2)), inputs.shape[-1])
    if gate.shape[1:] != shape:
        reshape = keras.layers.Reshape(shape, dtype=layer.dtype_policy, name=f"{layer.name}.shape")
        gate = folding.put(reshape, gate)[1]
    product = keras.layers.Multiply(dtype=layer.dtype_policy, name=layer.name)
    return folding.put(product, [inputs, gate])[1]


def group_pool(folding: Folding, layer: GroupPool, inputs: Any) -> Any:
    *outer, channels = inputs.shape[1:]
    order = Group.parse(layer.group).order
    kind = {
        "max": keras.layers.GlobalMaxPooling1D,
        "mean": keras.layers.GlobalAveragePooling1D,
    }[layer.mode]
    # Every field of every pixel is a row.
    rows = keras.layers.Reshape((-1, order), dtype=layer.dtype_policy, name=f"{layer.name}.fields")
    name = f"{layer.name}.pool" if outer else layer.name
    pool = kind(data_format="channels_first", dtype=layer.dtype_policy, name=name)
    x = folding.put(pool, folding.put(rows, inputs)[1])[1]
    if not outer:
        return x
    shape = tuple(-1 if size is None else size for size in (*outer, channels // order))
    reshape = keras.layers.Reshape(shape, dtype=layer.dtype_policy, name=layer.name)
    return folding.put(reshape, x)[1]


def group_averaged(folding: Folding, layer: GroupAveraged, inputs: Any) -> Any:
    group, images = Group.parse(layer.group), cast(layer, inputs)
    turned = [
        turn(images, round(group.angle(element) / 90), group.is_reflection(element))
        for element in range(group.order)
    ]
    if layer.stacked:
        structure = folding.apply(layer.model, ops.concatenate(turned, axis=0))
        by_output = [
            ops.split(output, len(turned), axis=0) for output in keras.tree.flatten(structure)
        ]
    else:
        answers = [folding.apply(layer.model, images) for images in turned]
        structure = answers[0]
        by_output = list(zip(*map(keras.tree.flatten, answers), strict=True))
    means = []
    for i, outputs in enumerate(by_output):
        name = layer.name if len(by_output) == 1 else f"{layer.name}.{i}"
        dtype = outputs[0].dtype
        # In its own precision at the end, and not in half precision before.
        average = keras.layers.Average(dtype=keras.backend.result_type(dtype, "float32"), name=name)
        mean = folding.put(average, list(outputs))[1]
        means.append(mean if mean.dtype == dtype else ops.cast(mean, dtype))
    return keras.tree.pack_sequence_as(structure, means)
