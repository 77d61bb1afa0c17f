"""Progress of long work: a bar on a terminal, one closing line anywhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["hidden", "is_hidden", "track"]

Item = TypeVar("Item")

# How many blocks of `hidden` are running.
_hiding = 0


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Shows no progress while the block runs: one of several processes is enough to watch.

    >>> with hidden():
    ...     sum(track([1, 2, 3], "Adding"))
    6
    """
    global _hiding
    _hiding += 1
    try:
        yield
    finally:
        _hiding -= 1


def is_hidden() -> bool:
    """Returns whether progress is hidden."""
    return _hiding > 0


def track(
    items: Iterable[Item],
    description: str,
    total: int | None = None,
    count: Callable[[Item], int] = lambda item: 1,
) -> Iterator[Item]:
    """Yields the items and shows on standard error how far along they are.

    Args:
        items: what to go through.
        description: what is being done, such as `"Reading images"`.
        total: how many there are to count, where `len(items)` does not say.
        count: how many one item counts for, such as `len` for batches.

    Example:

    >>> sum(track([1, 2, 3], "Adding"))
    6
    """
    if is_hidden():
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    if console.is_terminal:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(description, total=total)
            for item in items:
                yield item
                progress.advance(task, count(item))
        return
    start, done = time.monotonic(), 0
    for item in items:
        yield item
        done += count(item)
    console.print(f"{description}: {done} in {time.monotonic() - start:.1f} s", highlight=False)
