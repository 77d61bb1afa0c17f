"""A dense layer between stacks of regular fields, at each position by itself."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import expand_pointwise
from lensnet.layers.fields.field_layer import FieldLayer
from lensnet.layers.folding.arrays import to_numpy, to_source
from lensnet.layers.folding.fusable_layers import LinearParts
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["FieldDense"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldDense(FieldLayer):
    """`keras.layers.Dense` between stacks of regular fields: a pointwise group convolution.

    `out[h] = sum over j of w(h^-1 j) in[j] + b`, with one bias a field (Cohen & Welling 2016,
    arXiv:1602.07576, equation 11, at one position). As a matrix product of rows, which is what a
    transformer's tokens want; `GroupConv2D(filters, 1, group)` computes the same of maps.

    Args:
        group: the fields' group, such as `"d4"`.
        fields: of the output.
        kernel_initializer, kernel_regularizer: as of `keras.layers.Dense`. An initializer sees a
            kernel of shape (|G|, fields in, fields).

    Input shape:
        (batch, ..., fields in * |G|), `channel = field * |G| + element`.

    Output shape:
        (batch, ..., fields * |G|).

    Raises:
        ValueError: channels that are not whole fields.

    Example:

    >>> import keras
    >>> layer = FieldDense("c4", 6)
    >>> tuple(layer(keras.ops.ones((2, 1, 64, 12))).shape), tuple(layer.kernel.shape)
    ((2, 1, 64, 24), (4, 3, 6))
    """

    def __init__(
        self,
        group: str,
        fields: int,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(group, **kwargs)
        self.fields = fields
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self._group.order, self._fields, self.fields),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_weight(name="bias", shape=(self.fields,), initializer="zeros")

    def expanded_kernel(self) -> Any:
        """The kernel of the equal dense layer, shape (channels in, channels)."""
        return expand_pointwise(self.kernel, self._group)

    def call(self, inputs: Any) -> Any:
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        outputs = ops.add(ops.matmul(rows, self.expanded_kernel()), self._to_channels(self.bias))
        if len(inputs.shape) == 2:
            return outputs
        return ops.reshape(outputs, (-1, *inputs.shape[1:-1], outputs.shape[-1]))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        source, permutation = graph.source(inputs)
        kernel, bias = map(to_numpy, (self.expanded_kernel(), self._to_channels(self.bias)))
        stock = keras.layers.Dense(len(bias), dtype=self.dtype_policy, name=self.name)
        weights = [to_source(kernel, permutation, axis=0), bias]
        dense, outputs = graph.add_layer(stock, source, weights=weights)
        graph.mark_fusable(outputs, LinearParts.of(dense, len(bias)))
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.fields * self._group.order)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fields": self.fields,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
