"""Work done ahead of its use, by threads, its results in order."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["available_cpus", "read_ahead"]

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items handed to a thread at once: a hand-over costs as much as reading a small file.
_CHUNK = 8


def available_cpus() -> int:
    """Returns how many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def read_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int | None = None,
    ahead: int = 128,
) -> Generator[Result, None, None]:
    """Yields `function(item)` for each item, in order, computed by threads before it is needed.

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
    pool = ThreadPoolExecutor(threads or 2 * available_cpus(), thread_name_prefix="read")
    waiting: deque[Future[list[Result]]] = deque()
    try:
        while True:
            while len(waiting) * _CHUNK < ahead:
                chunk = list(itertools.islice(source, _CHUNK))
                if not chunk:
                    break
                waiting.append(pool.submit(lambda chunk: [function(i) for i in chunk], chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)
