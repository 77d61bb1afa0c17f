"""Reading partitions, a batch at a time, while the network is at work on the batches before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from lensnet.csv_tables import name_as_text
from lensnet.data.sources.source import FILLED, ORIENTATION, Loaded

__all__ = ["Batch", "PartitionRead", "PlannedRows", "in_background", "read_batches"]

Item = TypeVar("Item")

# Batches that wait while the network is at work: one is being filled, and one is ready.
_READY = 2


class PlannedRows(Protocol):
    """What is needed of a plan: see `lensnet.prediction.planning.Plan`."""

    def partition(self, number: int) -> pa.Table:
        """Returns the rows of a partition."""
        ...

    def load(self, rows: pa.Table) -> Iterator[Loaded]:
        """Yields the image of each row, or why there is none, in order."""
        ...


@dataclass(frozen=True, eq=False)
class Batch:
    """Images of one partition.

    Args:
        places: (N,) in which of the partition's rows each belongs.
        images: (N, H, W, C) float32, raw.
    """

    places: np.ndarray
    images: np.ndarray


@dataclass(eq=False)
class PartitionRead:
    """What was found while a partition was read, all of whose batches came before.

    Args:
        number: of the partition.
        rows: the partition.
        status: of each row `"ok"`, or why it has no image.
        filled: of each row how many pixels were gaps and have been filled.
        oriented: how many images have an orientation tag, which nobody follows.
    """

    number: int
    rows: pa.Table
    status: list[str] = field(default_factory=list)
    filled: list[int | None] = field(default_factory=list)
    oriented: int = 0


def read_batches(
    plan: PlannedRows, numbers: Iterable[int], shape: tuple[int, int, int], batch_size: int
) -> Generator[Batch | PartitionRead, None, None]:
    """Yields the batches of partitions, and after those of each what was found in it.

    A batch has images of one partition alone, so that a partition's scores do not depend on who
    scores it, or on what else that one does.

    Args:
        plan: names the images and loads them.
        numbers: of the partitions.
        shape: (H, W, C) that the images must have.
        batch_size: images in a batch; the last one of a partition may have fewer.
    """
    for number in numbers:
        found = PartitionRead(number, plan.partition(number))
        places: list[int] = []
        images: list[np.ndarray] = []
        for place, loaded in enumerate(plan.load(found.rows)):
            loaded = loaded.of_shape(shape, "the network takes")
            if loaded.image is None:
                found.status.append(_reason(loaded))
                found.filled.append(None)
                continue
            found.status.append("ok")
            found.filled.append(int(loaded.metadata.get(FILLED, 0)))
            found.oriented += loaded.metadata.get(ORIENTATION, 1) != 1
            places.append(place)
            images.append(loaded.image)
            if len(images) == batch_size:
                yield Batch(np.array(places), np.stack(images))
                places, images = [], []
        if images:
            yield Batch(np.array(places), np.stack(images))
        yield found


def _reason(loaded: Loaded) -> str:
    if loaded.error is None:
        return loaded.example.problem or "there is no image"
    if len(loaded.example.files) > 1:  # which of the bands
        return f"{name_as_text(loaded.error.path)}: {loaded.error.reason}"
    return loaded.error.reason


def in_background(
    items: Generator[Item, None, None], ready: int = _READY
) -> Generator[Item, None, None]:
    """Yields items that another thread makes meanwhile.

    Args:
        items: runs in that thread alone, and is closed there.
        ready: how many items may wait.

    Example:

    >>> list(in_background(number for number in (1, 2, 3)))
    [1, 2, 3]
    """
    waiting: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(ready)
    is_over = threading.Event()

    def put(item: Item | None, error: BaseException | None) -> bool:
        while not is_over.is_set():
            try:
                waiting.put((item, error), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        try:
            with closing(items):
                if all(put(item, None) for item in items):
                    put(None, _Ended())
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=make, name="read ahead", daemon=True)
    thread.start()
    try:
        while True:
            made, error = waiting.get()
            if isinstance(error, _Ended):
                return
            if error is not None:
                raise error
            yield made  # type: ignore[misc]
    finally:
        is_over.set()
        thread.join()


class _Ended(Exception):
    """There are no more items."""
