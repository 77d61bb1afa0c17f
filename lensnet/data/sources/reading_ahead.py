"""Work done ahead of its use, by threads where that is quicker, its results in order."""

from __future__ import annotations

import functools
import itertools
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lensnet.data.cpus import available_cpus

__all__ = ["read_ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Stretch = Generator[Result, None, int]
"""Results, and at the end how many there were."""

# Items handed to a thread at once: a hand-over costs as much as reading a small file.
_CHUNK = 8

# Seconds of a stretch that tries one way, and of one that goes the way that was quicker.
_TRIAL, _STRETCH = 0.1, 4.0


def read_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int | None = None,
    ahead: int = 128,
) -> Generator[Result, None, None]:
    """Yields `function(item)` for each item, in order, computed before it is needed if that helps.

    Threads wait together for a disk, and unpack files side by side. But where small files come from
    memory they wait for each other, for the interpreter, and reading takes twice as long as without
    them. So both ways are tried, for a moment each, and the one that gave more results a second
    goes on until the next trial, a few seconds later. Of files in memory this reads 1.3 to 2.2
    times as many as threads alone, and from a slow disk 3.5 times as many as one thread, at 0.9 of
    the speed of threads alone (`benchmarks/reading_ahead.py`).

    However many items there are, no more than `ahead` results wait at a time. An exception in the
    function ends the iteration with it.

    Args:
        function: what to do with an item. It runs in several threads at once.
        items: taken from this thread, as needed.
        threads: how many threads; by default two for each CPU, because half of reading is waiting.
        ahead: how many results may wait.

    >>> list(read_ahead(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    source = iter(items)
    with ThreadPoolExecutor(threads or 2 * available_cpus(), thread_name_prefix="read") as pool:
        by_threads = functools.partial(_by_threads, function, source, pool, ahead)
        one_by_one = functools.partial(_one_by_one, function, source)
        speeds: dict[Callable[[float], Stretch[Result]], float] = {}
        while True:
            for way in (by_threads, one_by_one, None):
                quicker = max(speeds, key=lambda way: speeds[way], default=by_threads)
                start = time.monotonic()
                done = yield from (way or quicker)(_TRIAL if way else _STRETCH)
                if not done:
                    return
                speeds[way or quicker] = done / max(time.monotonic() - start, 1e-9)


def _by_threads(
    function: Callable[[Item], Result],
    source: Iterator[Item],
    pool: ThreadPoolExecutor,
    ahead: int,
    seconds: float,
) -> Stretch[Result]:
    """Yields the results of what is taken within a time, and of one chunk at least."""
    end = time.monotonic() + seconds
    waiting: deque[Future[list[Result]]] = deque()
    done = 0
    try:
        while True:
            while not done + len(waiting) or (
                len(waiting) * _CHUNK < ahead and time.monotonic() < end
            ):
                chunk = list(itertools.islice(source, _CHUNK))
                if not chunk:
                    break
                waiting.append(pool.submit(lambda chunk: [function(i) for i in chunk], chunk))
            if not waiting:
                return done
            results = waiting.popleft().result()
            done += len(results)
            yield from results
    finally:
        for future in waiting:
            future.cancel()


def _one_by_one(
    function: Callable[[Item], Result], source: Iterator[Item], seconds: float
) -> Stretch[Result]:
    """Yields the results of what is taken within a time, and of one item at least."""
    end = time.monotonic() + seconds
    done = 0
    for item in source:
        yield function(item)
        done += 1
        if time.monotonic() >= end:
            break
    return done
