"""Which rows of each batch one of several workers loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lensnet.config.augmentation import Augmentation

__all__ = ["Share", "rows_to_load", "with_size"]


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


def rows_to_load(
    share: Share | None, count: Any, augmentation: Sequence[Augmentation] = ()
) -> tuple[slice, slice]:
    """Returns which rows of a batch are loaded, and which of these are kept once augmented.

    Where an image is mixed with any other of the batch, all of them are loaded.

    Args:
        share: the rows to keep; None for all.
        count: rows in the batch, which may be a tensor.
        augmentation: random changes of the images.
    """
    own, every = slice(None) if share is None else share.rows(count), slice(None)
    mixes = any(each.mixes_images for each in augmentation)
    return (every, own) if mixes else (own, every)


def with_size(share: Share | None, count: Any, batch: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns a batch, of a share with the size of the whole batch before it.

    Args:
        share: whose rows the batch has; None for all.
        count: rows in the whole batch.
        batch: images, labels and what else there is.
    """
    return batch if share is None else (count, *batch)
