"""Squeeze-and-excitation over regular fields."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import expand_pointwise
from lensnet.layers.fields.field_layer import FieldLayer
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.gates import multiply_by_gate, spatial_means
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["FieldGate", "FieldSqueezeExcite"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldSqueezeExcite(FieldLayer):
    """Squeeze-and-excitation: scales each channel by a gate that depends on the whole map.

    `out[x, c] = in[x, c] gate(W2 activation(W1 mean_x in + b1) + b2)[c]` (Hu et al. 2018,
    arXiv:1709.01507, equations 2 to 4), where W1 and W2 are pointwise group convolutions,
    `out[h] = sum_j in[j] w(h^-1 j)`, with one bias a field. The mean over the map keeps a field's
    channels apart, and the gate is itself a stack of regular fields: it permutes as the input
    does, so the product is equivariant, exactly, for every group.

    A gate that is one number a field (pool over the group, two dense layers, repeat) is symmetric
    too, but it is blind to orientation; it is the special case in which all weights of a filter
    are equal. Stock squeeze-and-excitation with dense layers over channels breaks the symmetry.

    Args:
        group: the fields' group, such as `"d4"`.
        reduced_fields: fields between the two maps; `reduced_fields * |G|` channels.
        activation: between the two maps.
        gate_activation: of the gate: `"sigmoid"`, as in EfficientNet, or `"hard_sigmoid"`, as in
            MobileNetV3.
        use_bias: adds one bias a field to both maps.
        kernel_initializer, bias_initializer, kernel_regularizer: of both maps; they see the
            filters' own weights, shape (|G|, fields in, fields out).

    Input shape:
        (batch, ..., fields * |G|), `channel = field * |G| + element`; the mean is over all axes
        between, usually height and width.

    Output shape:
        that of the input.

    Raises:
        ValueError: reduced_fields is not a positive integer, or channels that are not whole
            fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((2, 5, 5, 32))
    >>> gate = FieldSqueezeExcite("c4", reduced_fields=2)
    >>> tuple(gate(x).shape), tuple(gate.reduce_kernel.shape)
    ((2, 5, 5, 32), (4, 8, 2))
    """

    def __init__(
        self,
        group: str,
        reduced_fields: int,
        activation: Any = "relu",
        gate_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(group, **kwargs)
        if not isinstance(reduced_fields, int) or reduced_fields < 1:
            raise ValueError(f"reduced_fields is a positive integer; got {reduced_fields!r}.")
        self.reduced_fields = reduced_fields
        self.activation = keras.activations.get(activation)
        self.gate_activation = keras.activations.get(gate_activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        fields, reduced = self._fields, self.reduced_fields
        self.reduce_kernel = self._add_kernel("reduce_kernel", fields, reduced)
        self.reduce_bias = self._add_bias("reduce_bias", reduced)
        self.expand_kernel = self._add_kernel("expand_kernel", reduced, fields)
        self.expand_bias = self._add_bias("expand_bias", fields)

    def _add_kernel(self, name: str, fields_in: int, fields_out: int) -> Any:
        initializer = self.kernel_initializer
        if isinstance(initializer, keras.Initializer):
            # One instance used twice draws the same values twice.
            initializer = initializer.clone()
        return self.add_weight(
            name=name,
            shape=(self._group.order, fields_in, fields_out),
            initializer=initializer,
            regularizer=self.kernel_regularizer,
        )

    def _add_bias(self, name: str, fields: int) -> Any:
        if not self.use_bias:
            return None
        return self.add_weight(name=name, shape=(fields,), initializer=self.bias_initializer)

    def expanded_weights(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """The kernels and biases of the two equal dense layers over channels.

        Returns:
            `(reduce_kernel, reduce_bias), (expand_kernel, expand_bias)`, of shapes (channels,
            reduced channels), (reduced channels,) and the converse; biases None without use_bias.
        """

        def expanded(kernel: Any, bias: Any) -> tuple[Any, Any]:
            return expand_pointwise(kernel, self._group), self._to_channels(bias)

        return (
            expanded(self.reduce_kernel, self.reduce_bias),
            expanded(self.expand_kernel, self.expand_bias),
        )

    def call(self, inputs: Any) -> Any:
        between = tuple(range(1, len(inputs.shape) - 1))
        # A sum over a map has too few digits in half precision.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        gate = ops.cast(ops.mean(ops.cast(inputs, dtype), axis=between), inputs.dtype)
        activations = (self.activation, self.gate_activation)
        for (kernel, bias), activation in zip(self.expanded_weights(), activations, strict=True):
            gate = ops.matmul(gate, kernel)
            gate = activation(gate if bias is None else gate + bias)
        return inputs * ops.reshape(gate, (-1, *(1 for _ in between), inputs.shape[-1]))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        gate = spatial_means(graph, self, inputs)
        for step, (kernel, bias), activation in zip(
            ("reduce", "expand"),
            self.expanded_weights(),
            (self.activation, self.gate_activation),
            strict=True,
        ):
            dense = keras.layers.Dense(
                kernel.shape[-1],
                activation=activation,
                use_bias=bias is not None,
                dtype=self.dtype_policy,
                name=f"{self.name}.{step}",
            )
            weights = [to_numpy(values) for values in (kernel, bias) if values is not None]
            gate = graph.add_layer(dense, gate, weights=weights)[1]
        return multiply_by_gate(graph, self, inputs, gate)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reduced_fields": self.reduced_fields,
            "activation": keras.activations.serialize(self.activation),
            "gate_activation": keras.activations.serialize(self.gate_activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable(package="lensnet")
class FieldGate(FieldSqueezeExcite):
    """`FieldSqueezeExcite`, under the name by which earlier models find its weights.

    Example:

    >>> isinstance(FieldGate("c4", reduced_fields=2), FieldSqueezeExcite)
    True
    """
