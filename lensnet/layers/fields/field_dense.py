"""A dense layer between stacks of regular fields, at each position by itself."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.field_layout import expand_pointwise
from lensnet.layers.fields.field_layer import BasisLayer
from lensnet.layers.fields.irreps import Irrep, irreps
from lensnet.layers.folding.arrays import to_numpy, to_source
from lensnet.layers.folding.fusable_layers import LinearParts
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["FieldDense"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldDense(BasisLayer):
    """`keras.layers.Dense` between stacks of regular fields: a pointwise group convolution.

    `out[h] = sum over j of w(h^-1 j) in[j] + b`, with one bias a field (Cohen & Welling 2016,
    arXiv:1602.07576, equation 11, at one position). As a matrix product of rows, which is what a
    transformer's tokens want; `GroupConv2D(filters, 1, group)` computes the same of maps.

    Args:
        group: the fields' group, such as `"d4"`.
        fields: of the output.
        basis: of input and output: `"regular"`, or `"irreps"`, in which there is a product for each
            irreducible representation (`lensnet.layers.fields.irreps`), with the same weights. A
            folded network has the regular basis throughout.
        heads_in, heads_out: into how many heads the fields are cut, in whose order the components
            of `"irreps"` stand.
        kernel_initializer, kernel_regularizer: as of `keras.layers.Dense`. An initializer sees a
            kernel of shape (|G|, fields in, fields).

    Input shape:
        (batch, ..., fields in * |G|), `channel = field * |G| + element`.

    Output shape:
        (batch, ..., fields * |G|).

    Raises:
        ValueError: an unknown basis, or channels that are not whole fields.

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
        basis: str = "regular",
        heads_in: int = 1,
        heads_out: int = 1,
        **kwargs: Any,
    ):
        super().__init__(group, basis, **kwargs)
        self.fields = fields
        self.heads_in = heads_in
        self.heads_out = heads_out
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self._group.order, self._fields, self.fields),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            # In half precision too sums over the group are taken in full, and rounded once.
            autocast=False,
        )
        self.bias = self.add_weight(name="bias", shape=(self.fields,), initializer="zeros")

    def expanded_kernel(self) -> Any:
        """The kernel of the equal dense layer, shape (channels in, channels)."""
        return expand_pointwise(self.kernel, self._group)

    def call(self, inputs: Any) -> Any:
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        if self.basis == "irreps":
            outputs = self._by_irreps(rows)
        else:
            outputs = ops.matmul(rows, ops.cast(self.expanded_kernel(), self.compute_dtype))
            outputs = ops.add(outputs, self._to_channels(self.bias))
        if len(inputs.shape) == 2:
            return outputs
        return ops.reshape(outputs, (-1, *inputs.shape[1:-1], outputs.shape[-1]))

    def _by_irreps(self, rows: Any) -> Any:
        """The product in the basis of irreducible representations, one after the other."""
        heads_in, heads_out = self.heads_in, self.heads_out
        fields_in, fields = self._fields // heads_in, self.fields // heads_out
        order = self._group.order
        matrices: dict[Irrep, Any] = {}
        rows = ops.reshape(rows, (-1, heads_in, order * fields_in))
        products = [irrep for irrep in irreps(self._group) for _ in range(irrep.copies)]
        ends = np.cumsum([irrep.dimension * fields_in for irrep in products])
        # By one split: gradients of slices would be padded and added, each as large as the rows.
        parts = ops.split(rows, ends[:-1].tolist(), axis=-1)
        outputs: list[Any] = []
        for irrep, part in zip(products, parts, strict=True):
            size = irrep.dimension
            if irrep not in matrices:
                matrices[irrep] = self._irrep_kernel(irrep)
            part = ops.reshape(part, (-1, size * self._fields))
            part = ops.matmul(part, matrices[irrep])
            if not outputs:
                # A bias is alike in all elements: it is of the trivial representation.
                part = ops.add(part, self.bias * order**0.5)
            outputs.append(ops.reshape(part, (-1, heads_out, size * fields)))
        return ops.reshape(ops.concatenate(outputs, axis=-1), (-1, order * self.fields))

    def _irrep_kernel(self, irrep: Irrep) -> Any:
        """The matrix of one representation, from components (m, field in) to (m', field)."""
        size, heads_in, heads_out = irrep.dimension, self.heads_in, self.heads_out
        fields_in, fields = self._fields // heads_in, self.fields // heads_out
        kernel = ops.reshape(ops.convert_to_tensor(self.kernel), (self._group.order, -1))
        representation = np.moveaxis(irrep.matrices, 0, -1).reshape(size**2, -1)
        matrix = ops.matmul(ops.cast(representation, kernel.dtype), kernel)
        matrix = ops.reshape(matrix, (size, size, heads_in, fields_in, heads_out, fields))
        matrix = ops.transpose(matrix, (2, 1, 3, 4, 0, 5))
        matrix = ops.reshape(matrix, (size * self._fields, size * self.fields))
        return ops.cast(matrix, self.compute_dtype)

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
            "heads_in": self.heads_in,
            "heads_out": self.heads_out,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
