"""How many images are scored at once: as many as make it quicker, and fit.

From 32 on the number is doubled as long as that gets more images through in a second, by a
twentieth at least; a batch takes less than half a second, beyond which nothing is gained; and twice
the memory that a batch took is less than half of what is free. A batch that does not fit into the
memory of a GPU is halved by the network, and so gains nothing, which ends the search.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["DEFAULT", "choose_batch_size", "free_memory"]

DEFAULT = 64
"""Images in a batch where there are too few to try it out."""

_FIRST, _LARGEST = 32, 1024

# Of so few images the search would take longer than it saves.
_FEW = 2000

_GAIN = 1.05
_LONG_ENOUGH = 0.5

# Batches in memory at once: being read, ready (two), at the network, and its preprocessed copy.
_COPIES = 5


def choose_batch_size(
    score: Callable[[np.ndarray], object], shape: tuple[int, int, int], rows: int
) -> int:
    """Returns how many images to score at once.

    Args:
        score: scores a batch (N, H, W, C).
        shape: (H, W, C).
        rows: how many images there are.
    """
    if rows < _FEW:
        return DEFAULT
    image = np.random.default_rng(0).standard_normal(shape, np.float32)
    best, best_rate, size = _FIRST, 0.0, _FIRST
    while size <= _LARGEST:
        before = _peak_memory()
        batch = np.repeat(image[np.newaxis], size, axis=0)
        seconds = _quickest(score, batch)
        rate = size / seconds
        if rate < _GAIN * best_rate:
            break
        best, best_rate = size, rate
        took = max(_peak_memory() - before, _COPIES * batch.nbytes)
        if seconds > _LONG_ENOUGH or 2 * took > free_memory() / 2:
            break
        size *= 2
    return best


def free_memory() -> float:
    """Returns how many bytes this process may still take, of the machine and of its cgroup."""
    limits = [_available()]
    for most, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        (
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        ),
    ):
        try:
            limits.append(float(Path(most).read_text()) - float(Path(used).read_text()))
        except (OSError, ValueError):  # none, or "max"
            continue
    return max(min(limits), 0.0)


def _available() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:  # not on Linux
        pass
    return 4e9


def _peak_memory() -> float:
    """Returns the most bytes that this process has taken."""
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _quickest(score: Callable[[np.ndarray], object], batch: np.ndarray) -> float:
    """Returns the seconds that a batch takes."""
    score(batch)  # the first call of a size prepares what is done for it
    times = []
    for _ in range(2):
        start = time.perf_counter()
        score(batch)
        times.append(time.perf_counter() - start)
    return max(min(times), 1e-9)
