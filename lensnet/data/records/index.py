"""The two lists beside the records: what was prepared, and what was not and why.

`examples.csv` has a row for each record, in the order of the records: id, source file (bands
joined by ";"), split, label or target, and what else is known of the image, as JSON.
`quarantine.csv` has a row for each bad file: file and reason.

Each shard of records writes both for itself, so that shards can be written by processes that know
nothing of each other; `merge_shard_indexes` makes one list of them.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from lensnet.csv_tables import TableWriter, name_as_text, open_for_writing, read_table
from lensnet.data.sources.source import FILLED, ORIENTATION, ORIENTATION_IGNORED, Loaded
from lensnet.errors import DataError

__all__ = [
    "EXAMPLES",
    "QUARANTINE",
    "MergedIndex",
    "Index",
    "IndexWriter",
    "Quarantined",
    "check_bad",
    "merge_shard_indexes",
    "read_index",
    "read_metadata",
    "warn_of_faults",
]

_logger = logging.getLogger(__name__)

EXAMPLES = "examples.csv"
QUARANTINE = "quarantine.csv"


class Quarantined(NamedTuple):
    """A file that is not part of the prepared data.

    Args:
        file: relative to the source directory.
        reason: why.
    """

    file: str
    reason: str


class IndexWriter:
    """Writes both lists of a shard row by row, so that they never stand in memory.

    Args:
        examples: where the list of the good examples goes.
        quarantine: where the list of the bad files goes.
        has_targets: whether the examples have a target, not a label.
    """

    def __init__(self, examples: TextIO, quarantine: TextIO, has_targets: bool):
        self._examples = TableWriter(examples)
        self._quarantine = TableWriter(quarantine)
        self._has_targets = has_targets

    def good(self, loaded: Loaded, split: str) -> None:
        """Writes the row of an example that has become a record."""
        example = loaded.example
        value = float(loaded.target or 0.0) if self._has_targets else example.label
        metadata = json.dumps(dict(loaded.metadata)) if loaded.metadata else ""
        files = name_as_text(";".join(example.files))
        self._examples.row((example.id, files, split, value, metadata))

    def bad(self, file: str, reason: str) -> None:
        """Writes the row of a bad file."""
        self._quarantine.row((name_as_text(file), reason))


@dataclass
class MergedIndex:
    """What the lists of all shards say together.

    Args:
        lengths: the number of records in each shard, in order.
        good: how many good examples each class has, by split; for a regression under "".
        num_bad: how many files are bad.
        first_bad: the first of them.
    """

    lengths: list[int] = field(default_factory=list)
    good: dict[str, Counter[str]] = field(default_factory=dict)
    num_bad: int = 0
    first_bad: list[Quarantined] = field(default_factory=list)


def merge_shard_indexes(
    directory: Path, parts: Iterable[tuple[Path, Path]], has_targets: bool, shown: int = 5
) -> MergedIndex:
    """Makes one `examples.csv` and one `quarantine.csv` of those of the shards.

    Args:
        directory: where they go.
        parts: the lists (examples, quarantine) of each shard, in order. They are removed.
        has_targets: whether the examples have a target, not a label.
        shown: how many of the bad files are returned.
    """
    result = MergedIndex()
    with (
        open_for_writing(directory / EXAMPLES) as examples,
        open_for_writing(directory / QUARANTINE) as bad,
    ):
        value = "target" if has_targets else "label"
        TableWriter(examples, ("id", "file", "split", value, "metadata"))
        TableWriter(bad, Quarantined._fields)
        for good_part, bad_part in parts:
            length = 0
            for _, _, split, label, _ in read_table(good_part):
                length += 1
                counts = result.good.setdefault(split, Counter())
                counts["" if has_targets else label] += 1
            result.lengths.append(length)
            for row in read_table(bad_part):
                result.num_bad += 1
                if len(result.first_bad) < shown:
                    result.first_bad.append(Quarantined(*row))
            for part, whole in ((good_part, examples), (bad_part, bad)):
                with open(part, encoding="utf-8", newline="") as file:
                    shutil.copyfileobj(file, whole)
                part.unlink()
    return result


def check_bad(merged: MergedIndex, count: int, allowed: float, directory: Path) -> None:
    """Checks how many examples are bad.

    Args:
        merged: what the lists say.
        count: how many examples there are, good and bad.
        allowed: the share that may be bad.
        directory: where the lists lie.

    Raises:
        DataError: too many are. The list of them is kept one directory up, because this one is
            about to be removed.
    """
    bad = merged.num_bad
    if bad <= allowed * count:
        return
    kept = directory.parent / QUARANTINE
    (directory / QUARANTINE).replace(kept)
    shown = "\n".join(f"  {file}: {reason}" for file, reason in merged.first_bad)
    more = bad - len(merged.first_bad)
    raise DataError(
        f"{bad} of {count} examples are bad ({bad / count:.1%}; "
        f"data.options.max_bad allows {allowed:.1%}):\n{shown}\n"
        + (f"  and {more} more\n" if more > 0 else "")
        + f"All are listed in {kept}. Mend or remove them, or raise data.options.max_bad to "
        "go on without them."
    )


def _body(path: Path) -> Iterator[list[str]]:
    """Yields the rows of a list below its header."""
    rows = read_table(path)
    next(rows)
    return rows


@dataclass(frozen=True)
class Index:
    """What `examples.csv` and `quarantine.csv` say.

    Args:
        ids: of each split's examples, in the order of its records.
        labels: of each split's examples: the label's number (int64) or the target (float64).
        quarantine: the bad files.
        num_filled: how many examples have pixels that were not finite and have been filled.
        num_oriented: how many files say that they are to be turned, which they were not.
    """

    ids: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    quarantine: tuple[Quarantined, ...]
    num_filled: int
    num_oriented: int = 0


def read_index(directory: Path, classes: Sequence[str]) -> Index:
    """Reads both lists of a prepared data set.

    Args:
        directory: where the records lie.
        classes: the class names in label order; () for a regression.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    ids: dict[str, list[str]] = {}
    labels: dict[str, list[float]] = {}
    num_filled, filled = 0, json.dumps(FILLED)
    num_oriented, oriented = 0, json.dumps(ORIENTATION)
    for name, _, split, value, metadata in _body(directory / EXAMPLES):
        num_filled += filled in metadata
        num_oriented += oriented in metadata
        ids.setdefault(split, []).append(name)
        labels.setdefault(split, []).append(numbers[value] if classes else float(value))
    quarantine = tuple(Quarantined(*row) for row in _body(directory / QUARANTINE))
    dtype = np.int64 if classes else np.float64
    return Index(
        ids={split: np.array(names, dtype=object) for split, names in ids.items()},
        labels={split: np.array(of_split, dtype=dtype) for split, of_split in labels.items()},
        quarantine=quarantine,
        num_filled=num_filled,
        num_oriented=num_oriented,
    )


def warn_of_faults(index: Index, directory: Path) -> None:
    """Says which examples were left out, filled, or not turned as their files say.

    Args:
        index: what the lists say.
        directory: where they lie.
    """
    if index.quarantine:
        _logger.warning(
            "%d bad files were left out; %s says why.",
            len(index.quarantine),
            directory / QUARANTINE,
        )
    if index.num_filled:
        _logger.warning(
            "Pixels that are not finite were filled with the median of their band, in %d of "
            "the images; the metadata in %s say which.",
            index.num_filled,
            directory / EXAMPLES,
        )
    if index.num_oriented:
        _logger.warning(ORIENTATION_IGNORED, index.num_oriented)


def read_metadata(directory: Path, ids: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads what else is known of some examples, as numbers: (N,) float64 by name, NaN if unknown.

    Args:
        directory: where the records lie.
        ids: of the examples, (N,).
    """
    places = {name: place for place, name in enumerate(ids)}
    found: dict[str, np.ndarray] = {}
    for name, _, _, _, metadata in _body(directory / EXAMPLES):
        if name not in places or not metadata:
            continue
        for key, value in json.loads(metadata).items():
            if key in (FILLED, ORIENTATION) or not isinstance(value, int | float):
                continue
            if key not in found:
                found[key] = np.full(len(places), np.nan)
            found[key][places[name]] = value
    return found
