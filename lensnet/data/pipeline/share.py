"""Which rows of each batch one of several workers loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Share"]


@dataclass(frozen=True)
class Share:
    """Some of the parts into which each batch is divided, which differ by one row at most.

    Args:
        first: the first part of the share, from 0.
        end: the part that it ends before.
        parts: how many each batch has.

    >>> [Share(part, part + 1, 3).rows(8) for part in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """

    first: int
    end: int
    parts: int

    def rows(self, count: Any) -> slice:
        """Returns the rows of the share in a batch of `count`, which may be a tensor."""
        return slice(self.first * count // self.parts, self.end * count // self.parts)
