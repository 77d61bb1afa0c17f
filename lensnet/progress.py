"""Progress of long work: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

__all__ = ["Beat", "hidden", "is_hidden", "track"]

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


BEAT_SECONDS = 30.0
"""How often something is said of long work, where no bar can be shown."""


class Beat:
    """Tells when it is time to say again how far along something is.

    Args:
        seconds: between two times; by default half a minute.

    Example:

    >>> Beat(3600).is_due()
    False
    """

    def __init__(self, seconds: float | None = None):
        self.seconds = BEAT_SECONDS if seconds is None else seconds
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Whether the time has passed since this was last true."""
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True


def track(
    items: Iterable[Item],
    description: str,
    total: int | None = None,
    count: Callable[[Item], int] = lambda item: 1,
) -> Iterator[Item]:
    """Yields the items and shows on standard error how far along they are.

    Where that is not a terminal, a line says so every half minute, and one at the end.

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
    start, done, beat = time.monotonic(), 0, Beat()
    for item in items:
        yield item
        done += count(item)
        if beat.is_due():
            of = "" if total is None else f" of {total}"
            console.print(f"{description}: {done}{of} ...", highlight=False)
    console.print(f"{description}: {done} in {time.monotonic() - start:.1f} s", highlight=False)
