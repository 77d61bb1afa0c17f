"""Timing in turns, so that a machine that slows down slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["take_turns"]


def take_turns(
    contenders: Mapping[str, Callable[[], Any]], *, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Times functions in turns and returns the mean seconds of a call, by contender and round.

    Each is called once or more before anything counts. Every other round goes backwards: each has
    each neighbour before it as often as after it.

    Args:
        contenders: by name.
        rounds: how many turns each has.
        seconds: how long a turn is to take; it is one call at least.

    Example:

    >>> {name: len(times) for name, times in
    ...  take_turns({"sum": lambda: sum([1, 2])}, rounds=3, seconds=0.001).items()}
    {'sum': 3}
    """
    calls = {name: _calls_in(function, seconds) for name, function in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            times[name].append(_seconds_a_call(contenders[name], calls[name]))
    return times


def _calls_in(function: Callable[[], Any], seconds: float) -> int:
    """How many calls take so many seconds; the first, which compiles, does not count."""
    function()
    once = _seconds_a_call(function, 1)
    return max(1, round(seconds / max(once, 1e-9)))


def _seconds_a_call(function: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls
