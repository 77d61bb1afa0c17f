"""The two lists beside the records: what was prepared, and what was not and why.

`examples.csv` has a row for each record, in the order of the records: id, source file (bands
joined by ";"), split, label or target, and what else is known of the image, as JSON.
`quarantine.csv` has a row for each bad file: file and reason.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TextIO

import numpy as np

from lensnet.data.sources import FILLED, Loaded

__all__ = ["EXAMPLES", "QUARANTINE", "Ledger", "LedgerWriter", "Quarantined", "read_ledger"]

EXAMPLES = "examples.csv"
QUARANTINE = "quarantine.csv"


class Quarantined(NamedTuple):
    """A file that is no part of the prepared data.

    Args:
        file: relative to the source directory.
        reason: why.
    """

    file: str
    reason: str


class LedgerWriter:
    """Writes both lists row by row, so that they never stand in memory.

    Args:
        directory: where they go.
        has_targets: whether the examples have a target, not a label.
    """

    def __init__(self, directory: Path, has_targets: bool):
        self._directory = directory
        self._has_targets = has_targets
        self._files: list[TextIO] = []

    def __enter__(self) -> LedgerWriter:
        self._examples = self._open(EXAMPLES)
        self._quarantine = self._open(QUARANTINE)
        value = "target" if self._has_targets else "label"
        self._examples.writerow(("id", "file", "split", value, "metadata"))
        self._quarantine.writerow(Quarantined._fields)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files:
            file.close()

    def _open(self, name: str):  # type: ignore[no-untyped-def]  # csv names no type
        # A file's name may hold bytes that are no text; they must not stop the writing.
        file = open(
            self._directory / name, "w", encoding="utf-8", errors="backslashreplace", newline=""
        )
        self._files.append(file)
        return csv.writer(file, lineterminator="\n")

    def good(self, loaded: Loaded, split: str) -> None:
        """Writes the row of an example that has become a record."""
        example = loaded.example
        value = repr(float(loaded.target or 0.0)) if self._has_targets else example.label
        metadata = json.dumps(dict(loaded.metadata)) if loaded.metadata else ""
        self._examples.writerow((example.id, ";".join(example.files), split, value, metadata))

    def bad(self, file: str, reason: str) -> None:
        """Writes the row of a bad file."""
        self._quarantine.writerow((file, reason))


@dataclass(frozen=True)
class Ledger:
    """What `examples.csv` and `quarantine.csv` say.

    Args:
        ids: of each split's examples, in the order of its records.
        labels: of each split's examples: the label's number (int64) or the target (float64).
        quarantine: the bad files.
        num_filled: how many examples have pixels that were not finite and have been filled.
    """

    ids: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    quarantine: tuple[Quarantined, ...]
    num_filled: int


def read_ledger(directory: Path, classes: Sequence[str]) -> Ledger:
    """Reads both lists of a prepared data set.

    Args:
        directory: where the records lie.
        classes: the class names in label order; () for a regression.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    ids: dict[str, list[str]] = {}
    labels: dict[str, list[float]] = {}
    num_filled, filled = 0, json.dumps(FILLED)
    with open(directory / EXAMPLES, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for name, _, split, value, metadata in rows:
            num_filled += filled in metadata
            ids.setdefault(split, []).append(name)
            labels.setdefault(split, []).append(numbers[value] if classes else float(value))
    with open(directory / QUARANTINE, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        quarantine = tuple(Quarantined(*row) for row in rows)
    dtype = np.int64 if classes else np.float64
    return Ledger(
        ids={split: np.array(names, dtype=object) for split, names in ids.items()},
        labels={split: np.array(of_split, dtype=dtype) for split, of_split in labels.items()},
        quarantine=quarantine,
        num_filled=num_filled,
    )
