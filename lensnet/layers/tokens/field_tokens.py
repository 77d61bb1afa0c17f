"""Tokens that are learnt, made of regular fields."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.fields.field_layer import FieldLayer
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.tokens.table import one, table_layer

__all__ = ["FieldTokens"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldTokens(FieldLayer):
    """Learnt tokens, such as a class token or registers, that the group leaves alone.

    A token belongs to no place of the image, so that a transformation of the image only permutes
    the elements of its fields. It is the same for every image where these are all alike: one number
    a field. (Dosovitskiy et al. 2021, arXiv:2010.11929, equation 1; Darcet et al. 2024,
    arXiv:2309.16588, for registers.)

    Args:
        group: the fields' group, such as `"d4"`.
        count: how many tokens.
        initializer: of the numbers.

    Input shape:
        (batch, height, width, fields * |G|); only the batch and the channels are of account.

    Output shape:
        (batch, 1, count, fields * |G|).

    Raises:
        ValueError: channels that are not whole fields.

    Example:

    >>> import keras
    >>> tokens = FieldTokens("c4", 1)(keras.ops.zeros((2, 8, 8, 12)))
    >>> tuple(tokens.shape)
    (2, 1, 1, 12)
    """

    def __init__(self, group: str, count: int, initializer: Any = "zeros", **kwargs: Any):
        super().__init__(group, **kwargs)
        self.count = count
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.tokens = self.add_weight(
            name="tokens", shape=(self.count, self._fields), initializer=self.initializer
        )

    def expanded_tokens(self) -> Any:
        """The tokens' channels, shape (count, channels)."""
        return ops.repeat(ops.convert_to_tensor(self.tokens), self._group.order, axis=-1)

    def call(self, inputs: Any) -> Any:
        row = self.expanded_tokens()[None, None]
        return ops.broadcast_to(row, (ops.shape(inputs)[0], *row.shape[1:]))

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        tokens = to_numpy(self.expanded_tokens())
        stock = table_layer(*tokens.shape, dtype=self.dtype_policy, name=self.name)
        ones = one(inputs, each_example=True)
        return ops.expand_dims(graph.add_layer(stock, ones, weights=[tokens[None]])[1], 1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], 1, self.count, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "count": self.count,
            "initializer": keras.initializers.serialize(self.initializer),
        }
