"""How the benchmarks time: contenders in fair turns, and medians of the rounds."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from processes import ProcessFailed

__all__ = ["Times", "median_ratio", "ratio", "seconds_a_call", "take_turns"]

Times = dict[str, list[float]]
"""Seconds by contender, one value a round."""


def seconds_a_call(function: Callable[[], Any], calls: int) -> float:
    """Runs a function so many times and returns the mean of their durations."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> Times:
    """Lets contenders be timed in turns, so that a machine that slows down slows all.

    Every other round goes backwards: each has each neighbour before it as often as after it. A
    contender whose process fails is told of on standard error and left out, and the others go on.

    Args:
        contenders: by name, functions that time themselves once and return seconds.
        rounds: how many times each is timed, after one round that does not count.
    """
    times: Times = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name in list(times)[:: 1 if number % 2 else -1]:
            try:
                seconds = contenders[name]()
            except ProcessFailed as error:
                print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
                del times[name]
                continue
            if number:
                times[name].append(seconds)
    return times


def ratio(times: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median over the rounds of how much longer one took than the other in the same round."""
    return median_ratio(times[one], times[other])


def median_ratio(numerators: list[float], denominators: list[float]) -> float:
    """The median of the ratios of values that belong together."""
    return statistics.median(
        one / other for one, other in zip(numerators, denominators, strict=True)
    )
