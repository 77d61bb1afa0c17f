"""Scoring the partitions of a plan, each into a part that takes its name when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from lensnet.prediction.columns import Columns
from lensnet.prediction.scoring.part_table import Scores, part_table, write_part
from lensnet.prediction.scoring.reading import (
    Batch,
    PlannedRows,
    in_background,
    read_batches,
)

__all__ = ["Plan", "Scorer", "score_partitions"]


class Scorer(Protocol):
    """What gives scores: see `lensnet.prediction.scoring.network.Network`."""

    @property
    def columns(self) -> Columns:
        """How answers read in a table."""
        ...

    @property
    def has_uncertainty(self) -> bool:
        """Whether scores come with an uncertainty."""
        ...

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the scores (N, K) of raw images (N, H, W, C), and their uncertainty (N,)."""
        ...


class _Tile(Protocol):
    @property
    def name(self) -> str: ...


class Plan(PlannedRows, Protocol):
    """What is needed of a plan beside its rows: see `lensnet.prediction.planning.Plan`."""

    @property
    def tiles(self) -> Sequence[_Tile]:
        """The tiles that cutouts are cut out of."""
        ...

    @property
    def carried(self) -> pa.Schema:
        """The columns of the catalogue, by their own names."""
        ...


def score_partitions(
    plan: Plan,
    numbers: Sequence[int],
    network: Scorer,
    part: Callable[[int], Path],
    shape: tuple[int, int, int],
    batch_size: int,
    check: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Scores partitions, and yields after each batch how many rows are done since the last.

    The next batches are read while the network is at work, also over the end of a partition.

    Args:
        plan: theirs.
        numbers: which of them.
        network: gives the scores.
        part: where the part of a partition goes.
        shape: (H, W, C) of the images.
        batch_size: images scored at once.
        check: is called before a part is written, and raises where none may be.
    """
    tiles = [tile.name for tile in plan.tiles]
    scores = Scores(network.columns)
    said = 0  # rows of the partition that were yielded already
    batches = in_background(read_batches(plan, numbers, shape, batch_size))
    with closing(batches):
        for item in batches:
            if isinstance(item, Batch):
                values, spread = network(item.images)
                scores.put(item.places, values, spread)
                said += len(item.places)
                yield len(item.places)
                continue
            table = part_table(item, scores, tiles, network.has_uncertainty)
            check()
            write_part(part(item.number), table)
            yield item.rows.num_rows - said
            scores, said = Scores(network.columns), 0
