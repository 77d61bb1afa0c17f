"""Progress of long work: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

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
    *,
    done: int = 0,
    unit: str | None = None,
) -> Iterator[Item]:
    """Yields the items and shows on standard error how far along they are.

    Where that is not a terminal, a line says so every half minute, and one at the end.

    Args:
        items: what to go through.
        description: what is being done, such as `"Reading images"`.
        total: how many there are to count, where `len(items)` does not say.
        count: how many one item counts for, such as `len` for batches.
        done: how many of the total an earlier process has done.
        unit: what is counted, such as `"rows"`, to say how many a second, and the time left.

    Example:

    >>> sum(track([1, 2, 3], "Adding"))
    6
    """
    if is_hidden():
        yield from items
        return
    from rich.console import Console

    console = Console(stderr=True)
    if total is None:
        total = len(items) if isinstance(items, Sized) else None
    if console.is_terminal:
        with _bar(console, unit) as progress:
            task = progress.add_task(description, total=total, completed=done)
            for item in items:
                yield item
                progress.advance(task, count(item))
        return
    pace, beat = _Pace(total, done, unit), Beat()
    for item in items:
        yield item
        pace.new += count(item)
        if beat.is_due():
            console.print(f"{description}: {pace.so_far()} ...", highlight=False)
    console.print(f"{description}: {pace.at_the_end()}", highlight=False)


class _Pace:
    """How far along something is, in words.

    Args:
        total: of how many; None where nobody knows.
        done: how many were done before.
        unit: what is counted; None where the rate is not to be said.
    """

    def __init__(self, total: int | None, done: int, unit: str | None):
        self.total, self.done, self.unit = total, done, unit
        self.new = 0
        self.start = time.monotonic()

    def so_far(self) -> str:
        """Returns how many are done, at which rate, and in which time the others will be."""
        words = f"{self.done + self.new}" + ("" if self.total is None else f" of {self.total}")
        if self.unit is None:
            return words
        words = f"{words} {self.unit}, {self._rate():.0f} a second"
        if self.total is None or not self.new:
            return words
        left = (self.total - self.done - self.new) / self._rate()
        return f"{words}, {_duration(left)} left"

    def at_the_end(self) -> str:
        """Returns how many were done in which time."""
        seconds = time.monotonic() - self.start
        if self.unit is None:
            return f"{self.new} in {seconds:.1f} s"
        return f"{self.new} {self.unit} in {_duration(seconds)}, {self._rate():.0f} a second"

    def _rate(self) -> float:
        return self.new / max(time.monotonic() - self.start, 1e-9)


def _duration(seconds: float) -> str:
    """Words a time.

    >>> _duration(7.25), _duration(200), _duration(9000)
    ('7.2 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _bar(console: Console, unit: str | None) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """How many are done in a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} {unit}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([] if unit is None else [RateColumn()]),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
