"""Dropout that drops whole fields."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.field_layout import count_fields
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.symmetry import Group

__all__ = ["FieldDropout"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldDropout(keras.layers.Layer):
    """Dropout that drops all channels of a regular field together, at each position by itself.

    (Srivastava et al. 2014, "Dropout", JMLR 15, section 4; for fields Weiler & Cesa 2019,
    arXiv:1911.08251, section 2.6.) The fields kept are scaled by `1 / (1 - rate)`. A field with
    some of its channels missing is not a field: dropping them together makes training equivariant
    for every draw, given the draw rotated with the image; at inference nothing is dropped.

    To drop a field over the whole map, as `keras.layers.SpatialDropout2D` does a channel, use
    `FieldDropBlock` with blocks of the map's size.

    Args:
        group: the fields' group, such as `"d4"`.
        rate: the share of fields dropped, at least 0 and below 1.
        seed: of the random draws; None for one of its own.

    Input shape:
        (batch, ..., fields * |G|), `channel = field * |G| + element`.

    Output shape:
        that of the input.

    Raises:
        ValueError: a rate out of range, or channels that are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.ops.ones((1, 8))
    >>> dropped = FieldDropout("c4", 0.5, seed=0)(x, training=True)
    >>> set(keras.ops.convert_to_numpy(dropped).reshape(2, 4).sum(axis=1).tolist()) <= {0.0, 8.0}
    True
    """

    fold_transparent = True

    def __init__(self, group: str, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate is at least 0 and below 1; got {rate!r}.")
        self.group = str(group)
        self.rate = rate
        self.seed = seed
        self.supports_masking = True
        self._group = Group.parse(self.group)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._fields = count_fields(input_shape, self._group, self.name)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        fields = ops.reshape(inputs, (-1, self._fields, self._group.order))
        dropped = keras.random.dropout(
            fields, self.rate, noise_shape=(None, None, 1), seed=self.seed_generator
        )
        return ops.reshape(dropped, ops.shape(inputs))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        return graph.leave_out(self, inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "group": self.group, "rate": self.rate, "seed": self.seed}
