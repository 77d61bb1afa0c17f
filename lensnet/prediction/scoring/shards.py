"""The shards of an array job: which partitions each of them scores."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lensnet.errors import ConfigurationError

__all__ = ["Shard"]


@dataclass(frozen=True, order=True)
class Shard:
    """One of several jobs that share the work and need not know of each other.

    Args:
        number: from 1 on.
        of: how many there are.

    Example:

    >>> shard = Shard.parse("3/16")
    >>> shard.number, shard.of, str(shard)
    (3, 16, '3/16')
    >>> list(shard.partitions(40))
    [2, 18, 34]
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Reads `3/16`, the third of sixteen.

        Raises:
            ConfigurationError: it is not that.
        """
        match = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ConfigurationError(
                f'"{text}" is not a shard. Shards are counted from 1: 1/16, 2/16 ... 16/16.'
            )
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def partitions(self, count: int) -> range:
        """Returns the numbers of its partitions, from 0 on.

        They lie apart, so that a region of the sky that takes longer is shared.

        Args:
            count: how many partitions there are.
        """
        return range(self.number - 1, count, self.of)
