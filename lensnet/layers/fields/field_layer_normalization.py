"""Layer normalisation that scales the channels of a field alike."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.layer_normalization import layer_normalization
from lensnet.layers.fields.field_layer import BasisLayer
from lensnet.layers.folding.arrays import to_numpy, to_source
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["FieldLayerNormalization"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldLayerNormalization(BasisLayer):
    """Layer normalisation over a position's channels, with a scale and an offset for each field.

    `out = gamma[field] (in - mean) / sqrt(variance + epsilon) + beta[field]`, where the mean and
    the variance are those of all channels at the position (Ba et al. 2016, arXiv:1607.06450,
    equation 3, as ConvNeXt applies it). They do not change when channels change places, so they
    are symmetric by themselves; stock layer normalisation breaks the symmetry only by its scale
    and offset for each channel (Weiler & Cesa 2019, arXiv:1911.08251, section 2.6).

    Args:
        group: the fields' group, such as `"d4"`.
        epsilon: added to the variance. 1e-6 as in ConvNeXt; Keras's default is 1e-3.
        center, scale: whether to learn an offset and a scale.
        beta_initializer, gamma_initializer: of the offset and the scale.
        basis: of the channels, `"regular"` or `"irreps"` (`lensnet.layers.fields.irreps`, of one
            head).

    Input shape:
        (batch, ..., fields * |G|), `channel = field * |G| + element`.

    Output shape:
        that of the input.

    Raises:
        ValueError: an unknown basis, or channels that are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((8, 5, 5, 12))
    >>> layer = FieldLayerNormalization("c4")
    >>> tuple(layer(x).shape), tuple(layer.gamma.shape)
    ((8, 5, 5, 12), (3,))
    """

    def __init__(
        self,
        group: str,
        epsilon: float = 1e-6,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        basis: str = "regular",
        **kwargs: Any,
    ):
        super().__init__(group, basis, **kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)

        def weight(name: str, initializer: Any) -> Any:
            return self.add_weight(
                name=name, shape=(self._fields,), initializer=initializer, autocast=False
            )

        self.gamma = weight("gamma", self.gamma_initializer) if self.scale else None
        self.beta = weight("beta", self.beta_initializer) if self.center else None

    def call(self, inputs: Any, training: bool = False) -> Any:
        # Half precision overflows in the squares: statistics are taken in float32 or better.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        outputs = layer_normalization(
            ops.cast(inputs, dtype),
            self._in_precision(self.gamma, dtype),
            self._in_precision(self.beta, dtype),
            self.epsilon,
            training,
            self._ones(dtype),
        )
        return ops.cast(outputs, self.compute_dtype)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        source, permutation = graph.source(inputs)
        stock = keras.layers.LayerNormalization(
            axis=-1,
            epsilon=self.epsilon,
            center=self.center,
            scale=self.scale,
            dtype=self.dtype_policy,
            name=self.name,
        )
        weights = [
            to_source(to_numpy(self._to_channels(weight)), permutation)
            for weight in (self.gamma, self.beta)
            if weight is not None
        ]
        return graph.permute(graph.add_layer(stock, source, weights=weights)[1], permutation)

    def _in_precision(self, values: Any, dtype: str) -> Any:
        return None if values is None else self._to_basis(ops.cast(values, dtype))

    def _ones(self, dtype: str) -> Any:
        """A row of ones in the basis: of a field, the root of |G| of its trivial component."""
        if self.basis == "regular":
            return None
        order = self._group.order
        return ops.cast(np.repeat([order**0.5, 0.0], [1, order - 1]).repeat(self._fields), dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
        }
