"""Terms of attention's scores, one a displacement, for each pair of tokens."""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["bias_rows", "bias_of_table"]


def bias_rows(size: tuple[int, int], prefix_tokens: int) -> int:
    """How many terms there are for each head: one a displacement, and three of other tokens."""
    height, width = size
    return (2 * height - 1) * (2 * width - 1) + (3 if prefix_tokens else 0)


def bias_of_table(table: Any, size: tuple[int, int], prefix_tokens: int) -> Any:
    """The terms of all pairs of tokens.

    By Keras's own operations, and by reshaping alone: a table of indices would be as long as there
    are pairs, in the file of a plain model.

    Args:
        table: shape (1, `bias_rows`, heads), displacements row by row, from (1 - height, 1 - width)
            on. Three more rows, if there are tokens before those of the map, are from a token of
            the map to one of them, the other way, and between two of them.
        size: (height, width) of the map.
        prefix_tokens: how many there are.

    Returns:
        tensor of shape (1, heads, queries, keys).
    """
    height, width = size
    heads, pixels = table.shape[-1], height * width
    count = bias_rows(size, 0)
    grid = ops.reshape(table[:, :count], (2 * height - 1, 2 * width - 1, heads))
    grid = _pairs(grid, height)  # (queries' rows, keys' rows, displacement to the right, heads)
    grid = _pairs(ops.transpose(grid, (2, 0, 1, 3)), width)
    grid = ops.transpose(grid, (4, 2, 0, 3, 1))
    grid = ops.reshape(grid, (1, heads, pixels, pixels))
    if not prefix_tokens:
        return grid
    to_prefix, from_prefix, within = (
        ops.reshape(table[:, count + i], (1, heads, 1, 1)) for i in range(3)
    )
    number = prefix_tokens
    above = ops.concatenate(
        [
            ops.broadcast_to(within, (1, heads, number, number)),
            ops.broadcast_to(from_prefix, (1, heads, number, pixels)),
        ],
        axis=3,
    )
    below = [ops.broadcast_to(to_prefix, (1, heads, pixels, number)), grid]
    return ops.concatenate([above, ops.concatenate(below, axis=3)], axis=2)


def _pairs(terms: Any, side: int) -> Any:
    """From terms of displacements 1 - side ... side - 1 to those of (query, key), at axes 0 and 1.

    Rows of 2 side terms, one more than there are, are read off as rows of 2 side - 1, so that each
    begins one term earlier.
    """
    rest = tuple(terms.shape[1:])
    row = ops.pad(terms, ((0, 1), *((0, 0) for _ in rest)))
    rows = ops.tile(row, (side, *(1 for _ in rest)))
    length = side * (2 * side - 1)
    shifted = ops.reshape(rows[side - 1 : side - 1 + length, ...], (side, 2 * side - 1, *rest))
    return shifted[:, :side]
