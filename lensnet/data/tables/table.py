"""What a table is, whatever file it lies in: named columns with units, read in pieces."""

from __future__ import annotations

import abc
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

__all__ = ["Table", "described", "problems_of", "with_problems"]

_PROBLEMS = b"lensnet:problems"


class Table(abc.ABC):
    """A table that is read as it is asked for, any number of times.

    Args:
        path: the file, or the folder of a table in many files.
        column_names: the names of its columns, no two alike.
    """

    def __init__(self, path: Path, column_names: tuple[str, ...]):
        self.path = path
        self.column_names = column_names

    @property
    @abc.abstractmethod
    def schema(self) -> pa.Schema:
        """The types of the columns, and in the metadata of their fields `unit`, `description`.

        Of a text file, where only the whole of a column says whether it holds numbers, it takes a
        reading of the file.

        Raises:
            DataError: the file cannot be read.
        """

    @abc.abstractmethod
    def pieces(self, rows: int = 65536) -> Iterator[pa.Table]:
        """Yields the rows in their order, `rows` at a time or fewer, all of the same types.

        What is masked, or says that nothing is known (an empty cell, `NaN` in a text or FITS
        file), is null. `problems_of` a piece says which rows are faulty.

        Raises:
            DataError: the file cannot be read.
        """


def described(field: pa.Field, unit: str | None, description: str | None) -> pa.Field:
    """Returns a field of a schema with what is known of it in its metadata."""
    metadata = {
        key: text.encode()
        for key, text in ((b"unit", unit), (b"description", description))
        if text is not None and text.strip()
    }
    return field.with_metadata(metadata) if metadata else field.remove_metadata()


def with_problems(piece: pa.Table, problems: Mapping[int, str]) -> pa.Table:
    """Returns a piece that says which of its rows, counted in it from 0, are faulty, and why."""
    if not problems:
        return piece
    text = json.dumps({str(row): reason for row, reason in problems.items()})
    return piece.replace_schema_metadata({**(piece.schema.metadata or {}), _PROBLEMS: text})


def problems_of(piece: pa.Table) -> dict[int, str]:
    """Returns what is wrong with rows of a piece, by their number in it, from 0.

    So with a line of a text file that has more or fewer cells than the header.
    """
    text = (piece.schema.metadata or {}).get(_PROBLEMS, b"{}")
    return {int(row): reason for row, reason in json.loads(text).items()}
