"""Layer scale over regular fields."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers.fields.field_layer import BasisLayer
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.scales import scale

__all__ = ["FieldScale"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldScale(BasisLayer):
    """Multiplies each field by one learnt number: `out = gamma[field] * in`.

    Layer scale (Touvron et al. 2021, arXiv:2103.17239, equation 8), which lets a residual branch
    start small. A number for each channel, as there, breaks the symmetry.

    Args:
        group: the fields' group, such as `"d4"`; `"c1"` for channels that are not fields, where
            this is the paper's layer.
        initializer: of gamma, such as `keras.initializers.Constant(1e-6)`.
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
    >>> x = keras.random.normal((2, 5, 5, 12))
    >>> layer = FieldScale("c4", keras.initializers.Constant(1e-6))
    >>> tuple(layer(x).shape), tuple(layer.gamma.shape)
    ((2, 5, 5, 12), (3,))
    """

    fold_absorbed = True

    def __init__(
        self, group: str, initializer: Any = "ones", basis: str = "regular", **kwargs: Any
    ):
        super().__init__(group, basis, **kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.gamma = self.add_weight(
            name="gamma", shape=(self._fields,), initializer=self.initializer
        )

    def expanded_scale(self) -> Any:
        """What each channel is multiplied by, shape (channels,)."""
        return self._to_channels(self.gamma)

    def call(self, inputs: Any) -> Any:
        return inputs * self._to_basis(self.gamma)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        return scale(graph, self, inputs, to_numpy(self.expanded_scale()))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initializer": keras.initializers.serialize(self.initializer),
        }
