"""Efficient channel attention over regular fields."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import pointwise_index
from lensnet.layers.fields.field_layer import FieldLayer
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.gates import multiply_by_gate, spatial_means
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["FieldChannelAttention", "FieldChannelGate"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldChannelAttention(FieldLayer):
    """Efficient channel attention: gates each channel by the means of its neighbours.

    ECA scales channels by a sigmoid of a short convolution, without bias, across the channels'
    spatial means (Wang et al. 2020, arXiv:1910.03151, section 3.2). Here the convolution runs
    across fields, and each of its taps is a pointwise group filter: `out[f, h] = in[f, h]
    sigmoid(sum_(d, j) mean[f + d, j] w(d, h^-1 j))`, with the group's sum of Cohen & Welling 2016
    (arXiv:1602.07576, equation 11) and zeros beyond the first and the last field. The gate
    permutes as the input does, so the product is equivariant, exactly, for every group. For c1 it
    is ECA itself.

    Args:
        group: the fields' group, such as `"d4"`.
        kernel_size: neighbouring fields that a gate depends on, itself included: an odd number.
        kernel_initializer, kernel_regularizer: of the filter. The initializer sees `kernel_size *
            |G|` values as the fan-in, those that enter one gate.

    Input shape:
        (batch, ..., fields * |G|), `channel = field * |G| + element`; the mean is over all axes
        between, usually height and width.

    Output shape:
        that of the input.

    Raises:
        ValueError: kernel_size is not an odd positive integer, or channels that are not whole
            fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 5, 5, 32))
    >>> gate = FieldChannelAttention("c4", kernel_size=3)
    >>> tuple(gate(x).shape), tuple(gate.kernel.shape)
    ((2, 5, 5, 32), (3, 4))
    """

    def __init__(
        self,
        group: str,
        kernel_size: int,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(group, **kwargs)
        if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                "kernel_size counts the fields around one, itself included: an odd positive "
                f"integer; got {kernel_size!r}."
            )
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self._group.order),
            initializer=self._initial_kernel,
            regularizer=self.kernel_regularizer,
        )

    def _initial_kernel(self, shape: tuple[int, int], dtype: Any = None) -> Any:
        # Of a shape of two axes, initializers would take the group's for the outputs.
        return ops.reshape(self.kernel_initializer((*shape, 1, 1), dtype=dtype), shape)

    def expanded_kernel(self) -> Any:
        """The kernel of the equal `keras.layers.Conv1D` over a sequence of fields.

        Returns:
            tensor of shape (kernel_size, |G|, |G|), for maps of shape (batch, fields, |G|).
        """
        order = self._group.order
        kernel = ops.take(self.kernel, pointwise_index(self._group).reshape(-1), axis=1)
        return ops.reshape(kernel, (self.kernel_size, order, order))

    def call(self, inputs: Any) -> Any:
        between = tuple(range(1, len(inputs.shape) - 1))
        # A sum over a map has too few digits in half precision.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        means = ops.cast(ops.mean(ops.cast(inputs, dtype), axis=between), inputs.dtype)
        means = ops.reshape(means, (-1, self._fields, self._group.order))
        gate = ops.sigmoid(
            ops.conv(means, self.expanded_kernel(), padding="same", data_format="channels_last")
        )
        return inputs * ops.reshape(gate, (-1, *(1 for _ in between), inputs.shape[-1]))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        means = spatial_means(graph, self, inputs)
        fields = keras.layers.Reshape(
            (self._fields, self._group.order), dtype=self.dtype_policy, name=f"{self.name}.fields"
        )
        convolution = keras.layers.Conv1D(
            self._group.order,
            self.kernel_size,
            padding="same",
            activation="sigmoid",
            use_bias=False,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name=f"{self.name}.convolution",
        )
        rows = graph.add_layer(fields, means)[1]
        weights = [to_numpy(self.expanded_kernel())]
        gate = graph.add_layer(convolution, rows, weights=weights)[1]
        return multiply_by_gate(graph, self, inputs, gate)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable(package="lensnet")
class FieldChannelGate(FieldChannelAttention):
    """`FieldChannelAttention`, under the name by which earlier models find its weights.

    Example:

    >>> isinstance(FieldChannelGate("c4", kernel_size=3), FieldChannelAttention)
    True
    """
