"""Learnt vectors of the tokens' positions that a group leaves alone."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.convolution.group_filters import GroupFilters
from lensnet.layers.fields.field_layer import FieldLayer
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.tokens.table import one, table_layer

__all__ = ["FieldPositionEmbedding"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldPositionEmbedding(FieldLayer):
    """Adds to each token a learnt vector of its position, which the group leaves alone.

    On a square grid of tokens, seen from its centre, the vectors are a map of regular fields that
    each element g of the group maps onto itself: `P[x, h] = P[g^-1 x, g^-1 h]`. All of these are
    given by one free function p on the grid, `P[x, h] = p(h^-1 x)`: what p says of the image that h
    turned. (An embedding that is free for every channel, as in Dosovitskiy et al. 2021,
    arXiv:2010.11929, has |G| times as many numbers, and tells orientations apart.) For elements
    that do not map the grid onto itself (c8), p is a sum of circular harmonics, as filters are
    (`GroupFilters`); these end with the circle around the grid.

    Args:
        group: the fields' group, such as `"d4"`.
        side: tokens along a side of the grid.
        prefix_tokens: how many tokens stand before those of the grid. They have a learnt vector of
            one number a field.
        scalar: whether channels are scalars and not fields, as in a rotational network. Then each
            has the mean over the elements, `P[x] = mean over h of p(h^-1 x)`.
        initializer: of p and the vectors.

    Input shape:
        (batch, 1, prefix_tokens + side * side, fields * |G|), or channels where they are scalars.

    Output shape:
        that of the input.

    Raises:
        ValueError: another number of tokens, or channels that are not whole fields.

    Example:

    >>> import keras
    >>> layer = FieldPositionEmbedding("d4", 8, prefix_tokens=1)
    >>> tuple(layer(keras.ops.zeros((2, 1, 65, 24))).shape)
    (2, 1, 65, 24)
    >>> tuple(layer.kernel.shape), tuple(layer.prefix.shape)
    ((8, 8, 1, 1, 3), (1, 3))
    """

    def __init__(
        self,
        group: str,
        side: int,
        prefix_tokens: int = 0,
        scalar: bool = False,
        initializer: Any = "zeros",
        **kwargs: Any,
    ):
        super().__init__(group, **kwargs)
        self.side = side
        self.prefix_tokens = prefix_tokens
        self.scalar = scalar
        self.initializer = keras.initializers.get(initializer)
        self._filters = GroupFilters(self._group, side)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        tokens = self.prefix_tokens + self.side**2
        if input_shape[2] != tokens:
            raise ValueError(
                f"{self.name}: {input_shape[2]} tokens are not {self.prefix_tokens} and a grid of "
                f"{self.side} x {self.side}."
            )
        if self.scalar:
            self._fields = int(input_shape[-1] or 0)
        else:
            super().build(input_shape)

        def weight(name: str, *shape: int) -> Any:
            # In half precision too p is transformed in full, and rounded once.
            return self.add_weight(
                name=name, shape=shape, initializer=self.initializer, autocast=False
            )

        self.kernel = weight("kernel", *self._filters.shape(), 1, 1, self._fields)
        self.prefix = (
            weight("prefix", self.prefix_tokens, self._fields) if self.prefix_tokens else None
        )

    def expanded_table(self) -> Any:
        """The vector of each token, shape (tokens, channels)."""
        order = self._group.order
        grid = ops.reshape(self._filters.expand(self.kernel), (self.side**2, self._fields, order))
        grid = ops.mean(grid, axis=-1) if self.scalar else ops.reshape(grid, (self.side**2, -1))
        if self.prefix is None:
            return grid
        prefix = ops.convert_to_tensor(self.prefix)
        prefix = prefix if self.scalar else ops.repeat(prefix, order, axis=-1)
        return ops.concatenate([prefix, grid], axis=0)

    def call(self, inputs: Any) -> Any:
        return inputs + ops.cast(self.expanded_table(), self.compute_dtype)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        table = to_numpy(self.expanded_table())
        stock = table_layer(*table.shape, dtype=self.dtype_policy, name=self.name)
        vectors = graph.add_layer(stock, one(inputs), weights=[table[None]])[1]
        return ops.add(inputs, ops.expand_dims(vectors, 1))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "side": self.side,
            "prefix_tokens": self.prefix_tokens,
            "scalar": self.scalar,
            "initializer": keras.initializers.serialize(self.initializer),
        }
