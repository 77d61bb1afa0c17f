"""What the benchmarks share: fair rounds, medians, and the record of where they were taken."""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = [
    "environment",
    "print_table",
    "ratio",
    "seconds_a_call",
    "take_turns",
    "write_results",
]


def seconds_a_call(function: Callable[[], Any], calls: int) -> float:
    """Runs a function so many times and returns the mean of their durations."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def take_turns(
    contenders: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Lets contenders be timed in turns, so that a machine that slows down slows all.

    Every other round goes backwards: each has each neighbour before it as often as after it.

    Args:
        contenders: by name, functions that time themselves once and return seconds.
        rounds: how many times each is timed, after one round that does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        order = list(contenders.items())
        for name, contender in order[:: 1 if number % 2 else -1]:
            seconds = contender()
            if number:
                times[name].append(seconds)
    return times


def ratio(times: Mapping[str, list[float]], one: str, other: str) -> float:
    """The median over the rounds of how much longer one took than the other in the same round."""
    return statistics.median(
        mine / theirs for mine, theirs in zip(times[one], times[other], strict=True)
    )


def environment(
    packages: tuple[str, ...], places: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Versions, device and command.

    Args:
        packages: whose versions to give.
        places: what stands in the command for a path of this machine, by the path.
    """
    words = [(places or {}).get(word, word) for word in sys.argv]
    return {
        "command": "python " + shlex.join(words),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in packages},
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cpu_count": os.cpu_count(),
    }


def print_table(header: list[str], rows: list[list[Any]]) -> None:
    """Prints aligned columns."""
    cells = [header, *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))


def write_results(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a benchmark's results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"Written: {path}")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            lines = dict(line.split(":", 1) for line in stream if ":" in line)
    except OSError:
        return platform.processor()
    values = {key.strip(): value.strip() for key, value in lines.items()}
    number = f"family {values.get('cpu family')}, model {values.get('model')}"
    return f"{values.get('model name', '')} ({number})"


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
