"""From the elements of regular fields to their irreducible components, and back."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.activation import activate
from lensnet.layers.fields.field_layer import FieldLayer, check_basis
from lensnet.layers.fields.irreps import basis_matrix
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["FieldBasis", "IrrepActivation"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldBasis(FieldLayer):
    """Changes the basis of stacks of regular fields (`lensnet.layers.fields.irreps`).

    An orthogonal change: lengths and inner products stay. A folded network has none: its layers
    are all in the regular basis.

    Args:
        group: the fields' group, such as `"d4"`.
        to: `"irreps"`, or `"regular"` for the way back.

    Input shape:
        (batch, ..., fields * |G|).

    Output shape:
        that of the input.

    Raises:
        ValueError: an unknown basis, or channels that are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 5, 24))
    >>> again = FieldBasis("d4", "regular")(FieldBasis("d4", "irreps")(x))
    >>> bool(keras.ops.max(keras.ops.abs(again - x)) < 1e-5)
    True
    """

    fold_transparent = True

    def __init__(self, group: str, to: str, **kwargs: Any):
        super().__init__(group, **kwargs)
        self.to = check_basis("to", to)

    def call(self, inputs: Any) -> Any:
        order = self._group.order
        matrix = ops.cast(basis_matrix(self._group).T, inputs.dtype)
        outer = (-1, *inputs.shape[1:-1])
        if self.to == "irreps":
            fields = ops.reshape(inputs, (-1, self._fields, order))
            components = ops.matmul(fields, matrix)
            outputs = ops.transpose(components, (0, 2, 1))
        else:
            components = ops.reshape(inputs, (-1, order, self._fields))
            fields = ops.transpose(components, (0, 2, 1))
            outputs = ops.matmul(fields, ops.transpose(matrix))
        return ops.reshape(outputs, (*outer, inputs.shape[-1]))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        return graph.leave_out(self, inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "to": self.to}


@keras.saving.register_keras_serializable(package="lensnet")
class IrrepActivation(FieldLayer):
    """A pointwise activation of regular fields whose irreducible components are given.

    The components are made into elements, on which the activation acts, and back, by products with
    a matrix of |G| x |G|. (On a CPU that is three times as fast as sums of slices in one loop of
    XLA's: 9.9 ms against 32.7 for GELU of 2,080 rows of 768 channels of D4, forward and backward.)

    Args:
        group: the fields' group, such as `"d4"`.
        activation: as of `keras.layers.Activation`.

    Input shape:
        (rows, |G| * fields), in the order of `lensnet.layers.fields.irreps` for one head.

    Output shape:
        that of the input.

    Raises:
        ValueError: channels that are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((5, 24))
    >>> basis, back = FieldBasis("d4", "irreps"), FieldBasis("d4", "regular")
    >>> expected = basis(keras.activations.relu(back(x)))
    >>> bool(keras.ops.max(keras.ops.abs(IrrepActivation("d4", "relu")(x) - expected)) < 1e-5)
    True
    """

    def __init__(self, group: str, activation: Any, **kwargs: Any):
        super().__init__(group, **kwargs)
        self.activation = keras.activations.get(activation)

    def call(self, inputs: Any, training: bool = False) -> Any:
        matrix = ops.cast(basis_matrix(self._group), inputs.dtype)
        shape = (-1, self._group.order, self._fields)
        elements = ops.matmul(ops.transpose(matrix), ops.reshape(inputs, shape))
        rows = ops.reshape(elements, (-1, inputs.shape[-1]))
        activated = ops.reshape(activate(self, rows, training), shape)
        return ops.reshape(ops.matmul(matrix, activated), (-1, inputs.shape[-1]))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        stock = keras.layers.Activation(self.activation, dtype=self.dtype_policy, name=self.name)
        return graph.add_channelwise(stock, inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": keras.activations.serialize(self.activation)}
