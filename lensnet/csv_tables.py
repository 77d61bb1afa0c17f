"""CSV tables that every program reads back as they were meant.

Names of files and classes are whatever a user, or a colleague's archive, gave them. Two kinds do
harm in a table, and both are written so that they read back:

- A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@` or a control character as a formula.
  Such a cell gets an apostrophe in front, which makes it text there. Numbers stay numbers.
- The bytes of a file's name need not be UTF-8, and then are no text at all. Each such byte is
  written as `\\xff`, and the backslash of a name that holds these very characters as `\\x5c`.

>>> import pathlib, tempfile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "scores.csv"
>>> with writing_table(path, ("file", "score")) as table:
...     table.row([name_as_text("=1+1\\udcff.npy"), -0.5])
>>> print(path.read_text(), end="")
file,score
'=1+1\\xff.npy,-0.5
>>> header, row = read_table(path)
>>> name_from_text(row[0]) == "=1+1\\udcff.npy"
True
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from lensnet.files import replacing

__all__ = [
    "TableWriter",
    "name_as_text",
    "name_from_text",
    "open_for_writing",
    "read_dicts",
    "read_table",
    "restore_cell",
    "write_table",
    "writing_table",
]

# The wide forms of the signs are formulas, too, where spreadsheets are set to East Asian text.
_FORMULA = re.compile(r"'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\x00-\x1f\x7f])")
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|nan)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_LONE_BYTE = re.compile("[\udc80-\udcff]")


def name_as_text(name: str) -> str:
    """Returns a file's name as text that can be written, whatever bytes it is made of.

    >>> name_as_text("lens\\udcff"), name_as_text("a\\\\b")
    ('lens\\\\xff', 'a\\\\b')
    """
    name = _ESCAPED.sub(lambda match: r"\x5c" + match[0][1:], name)
    return _LONE_BYTE.sub(lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", name)


def name_from_text(text: str) -> str:
    """Returns the name of which `name_as_text` made a text, for `open` and `pathlib`."""

    def restored(match: re.Match[str]) -> str:
        byte = int(match[1], 16)
        if byte >= 0x80:
            return chr(0xDC00 + byte)
        return "\\" if byte == ord("\\") else match[0]

    return _ESCAPED.sub(restored, text)


def _guarded(text: str) -> str:
    """Returns a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def restore_cell(text: str) -> str:
    """Returns what a cell said before it was kept from being a formula.

    >>> [restore_cell(cell) for cell in ("'=A1", "''=A1", "'quoted'", "-1.5")]
    ['=A1', "'=A1", "'quoted'", '-1.5']
    """
    return text[1:] if text[:1] == "'" and _guarded(text[1:]) == text else text


class TableWriter:
    """Writes the rows of a table.

    Args:
        stream: where to, as `open_for_writing` opens it.
        columns: the header; None for a part of a table, which has none.
        numbers: those of the columns whose text is a number.
    """

    def __init__(
        self,
        stream: TextIO,
        columns: Sequence[str] | None = None,
        numbers: Collection[str] = (),
    ):
        self._numeric = {place for place, name in enumerate(columns or ()) if name in numbers}
        self._writer = csv.writer(stream, lineterminator="\n")
        self._quoting = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if columns is not None:
            self._write([_guarded(name) for name in columns])

    def row(self, cells: Iterable[object]) -> None:
        """Writes a row: text, numbers, and None for an empty cell."""
        self._write([self._text(cell, place) for place, cell in enumerate(cells)])

    def _text(self, cell: object, place: int) -> str:
        if not isinstance(cell, str):
            return "" if cell is None else str(cell)
        is_number = place in self._numeric and _NUMBER.fullmatch(cell)
        return cell if is_number else _guarded(cell)

    def _write(self, texts: list[str]) -> None:
        # A carriage return by itself ends a line for a reader, and is not quoted by the writer.
        returns = any("\r" in text for text in texts)
        (self._quoting if returns else self._writer).writerow(texts)

    def rows(self, rows: Iterable[Iterable[object]]) -> None:
        """Writes rows."""
        for row in rows:
            self.row(row)


def open_for_writing(path: Path) -> TextIO:
    """Opens a file for a table."""
    # Whatever is still not text must not end the writing of all the rest.
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")


@contextlib.contextmanager
def writing_table(
    path: Path, columns: Sequence[str], numbers: Collection[str] = ()
) -> Iterator[TableWriter]:
    """Writes a table, whole or not at all.

    Args:
        path: the file.
        columns: the header.
        numbers: those of the columns whose text is a number.
    """
    with replacing(path) as temporary, open_for_writing(temporary) as stream:
        yield TableWriter(stream, columns, numbers)


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Iterable[object]]) -> None:
    """Writes a table of rows that are there; without one, a table of before is removed.

    Args:
        path: the file.
        columns: the header.
        rows: as of `TableWriter.row`.
    """
    if not rows:
        path.unlink(missing_ok=True)
        return
    with writing_table(path, columns) as table:
        table.rows(rows)


def read_table(path: str | os.PathLike[str]) -> Iterator[list[str]]:
    """Yields the rows of a table that was written here, the header first."""
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        for row in csv.reader(stream):
            yield [restore_cell(cell) for cell in row]


def read_dicts(path: str | os.PathLike[str]) -> Iterator[dict[str, str]]:
    """Yields the rows of a table that was written here by column; "" where a row is cut short."""
    rows = read_table(path)
    columns = next(rows, [])
    for row in rows:
        if row:
            yield dict(zip(columns, [*row, *[""] * (len(columns) - len(row))], strict=False))
