"""What the records know of each image besides its class: the column `metadata` of `examples.csv`.

None of it reaches a network. It may hold the truth of a simulation, which is why a column may well
tell the classes apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lensnet.csv_tables import read_table
from lensnet.data.records.index import EXAMPLES
from lensnet.data.sources.source import FILLED

__all__ = ["Metadata", "read_metadata"]

_MOST_TEXTS = 1000


@dataclass(frozen=True)
class Metadata:
    """What is known of N images.

    Args:
        numbers: by name (with unit) the value of each image, (N,) float64; NaN where it is not
            known.
        texts: by name, how many different texts there are, and of how many images one is known.
            Counting ends at 1,000.
        filled: how many pixels of each image were gaps and have been filled, (N,) float64.
    """

    numbers: dict[str, np.ndarray]
    texts: dict[str, tuple[int, int]]
    filled: np.ndarray


def read_metadata(directory: Path, positions: Mapping[str, int]) -> Metadata:
    """Reads what is known of images, a row at a time.

    Args:
        directory: where the records lie.
        positions: of the images asked for, by id: each their place in the result.
    """
    total = len(positions)
    numbers: dict[str, np.ndarray] = {}
    texts: dict[str, set[str]] = {}
    known: dict[str, int] = {}
    rows = read_table(directory / EXAMPLES)
    next(rows)
    for name, _, _, _, content in rows:
        at = positions.get(name)
        if at is None or not content:
            continue
        for key, value in json.loads(content).items():
            if isinstance(value, int | float):
                if key not in numbers:
                    numbers[key] = np.full(total, np.nan)
                numbers[key][at] = value
            elif value is not None:
                seen = texts.setdefault(key, set())
                known[key] = known.get(key, 0) + 1
                if len(seen) < _MOST_TEXTS:
                    seen.add(str(value))
    filled = np.nan_to_num(numbers.pop(FILLED, np.zeros(total)))
    return Metadata(
        numbers, {name: (len(seen), known[name]) for name, seen in texts.items()}, filled
    )
