"""Learnt terms of attention's scores, one a displacement, that a group leaves alone."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.convolution.group_filters import GroupFilters
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.tokens.position_bias import bias_of_table
from lensnet.layers.tokens.table import one, table_layer
from lensnet.symmetry import Group

__all__ = ["FieldPositionBias"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldPositionBias(keras.layers.Layer):
    """Terms of the scores of attention: `B[i, j] = b(x_j - x_i)`, from query i to key j.

    One free function b of the displacement for each head (Shaw, Uszkoreit & Vaswani 2018,
    arXiv:1803.02155; on a grid Liu et al. 2021, arXiv:2103.14030, equation 4), of which the mean
    over the group is taken, so that displacements that the group maps onto each other have the same
    term. For elements that do not map the grid onto itself (c8), b is a sum of circular harmonics
    (`GroupFilters`).

    Args:
        group: such as `"d4"`.
        side: tokens along a side of the grid.
        heads: of the attention.
        prefix_tokens: how many tokens stand before those of the grid. They have three terms a head:
            from a token of the grid to one of them, the other way, and between two of them.
        initializer: of b and the three terms.

    Input shape:
        (batch, 1, prefix_tokens + side * side, channels).

    Output shape:
        (1, heads, tokens, tokens).

    Example:

    >>> import keras
    >>> bias = FieldPositionBias("c4", 8, heads=3)(keras.ops.zeros((2, 1, 64, 12)))
    >>> tuple(bias.shape)
    (1, 3, 64, 64)
    """

    def __init__(
        self,
        group: str,
        side: int,
        heads: int,
        prefix_tokens: int = 0,
        initializer: Any = "zeros",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.group = str(group)
        self.side = side
        self.heads = heads
        self.prefix_tokens = prefix_tokens
        self.initializer = keras.initializers.get(initializer)
        self._filters = GroupFilters(Group.parse(self.group), 2 * side - 1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self._filters.shape(), 1, 1, self.heads),
            initializer=self.initializer,
            autocast=False,
        )
        self.prefix = None
        if self.prefix_tokens:
            self.prefix = self.add_weight(
                name="prefix", shape=(3, self.heads), initializer=self.initializer, autocast=False
            )

    def expanded_bias(self) -> Any:
        """The terms, shape (heads, tokens, tokens)."""
        order = Group.parse(self.group).order
        terms = ops.reshape(self._filters.expand(self.kernel), (-1, self.heads, order))
        terms = ops.mean(terms, axis=-1)
        if self.prefix is not None:
            terms = ops.concatenate([terms, ops.convert_to_tensor(self.prefix)], axis=0)
        return bias_of_table(terms[None], (self.side, self.side), self.prefix_tokens)[0]

    def call(self, inputs: Any) -> Any:
        return ops.cast(self.expanded_bias(), self.compute_dtype)[None]

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        bias = to_numpy(self.expanded_bias())
        heads, tokens, _ = bias.shape
        stock = table_layer(heads * tokens, tokens, dtype=self.dtype_policy, name=self.name)
        weights = [bias.reshape(1, heads * tokens, tokens)]
        rows = graph.add_layer(stock, one(inputs), weights=weights)[1]
        return ops.reshape(rows, (1, heads, tokens, tokens))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int, ...]:
        tokens = self.prefix_tokens + self.side**2
        return (1, self.heads, tokens, tokens)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "group": self.group,
            "side": self.side,
            "heads": self.heads,
            "prefix_tokens": self.prefix_tokens,
            "initializer": keras.initializers.serialize(self.initializer),
        }
