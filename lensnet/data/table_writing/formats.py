"""Which format an ending stands for, and whether a file of it is one of lensnet's."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple, Protocol

from lensnet import files
from lensnet.data.table_writing.content import TableContent
from lensnet.errors import ConfigurationError, RunError
from lensnet.output_files import check_table

__all__ = ["ENDINGS", "check_ending", "check_own_table", "write_table_file"]


class _Module(Protocol):
    def write(self, path: Path, content: TableContent) -> None: ...


class _Format(NamedTuple):
    """A format.

    Args:
        module: what writes it, by name: it is imported where it is needed.
        words: what it is called.
        mark: what the first bytes of lensnet's own hold; None where the columns tell.
    """

    module: str
    words: str
    mark: bytes | None = None


_HERE = "lensnet.data.table_writing."
_VOTABLE = _Format(f"{_HERE}votable_file", "VOTable", b'name="lensnet"')
_FORMATS = {
    ".csv": _Format(f"{_HERE}csv_file", "CSV"),
    ".fits": _Format(f"{_HERE}fits_file", "FITS table"),
    ".ecsv": _Format(f"{_HERE}ecsv_file", "ECSV", b"# - {lensnet: "),
    ".vot": _VOTABLE,
    ".xml": _VOTABLE,
    ".parquet": _Format(f"{_HERE}parquet_file", "Parquet"),
}

ENDINGS = tuple(_FORMATS)
"""The endings of tables that are written, in lower case; case does not matter in a file's name."""

# The first columns of a table of scores, by which a CSV file or a FITS table is known.
_FIRST_COLUMNS = ("id", "file")


def check_ending(path: Path) -> None:
    """Checks that a table of a file's name can be written.

    Raises:
        ConfigurationError: its ending stands for no format.
    """
    if path.suffix.lower() in _FORMATS:
        return
    known = ", ".join(f"{ending} ({one.words})" for ending, one in _FORMATS.items())
    raise ConfigurationError(
        f"{path.name} does not end with .csv or another ending of a table. Name the output "
        f"{path.stem}.csv, or with one of {known}."
    )


def check_own_table(path: Path) -> None:
    """Checks that a table that is to be replaced is one of lensnet's.

    Raises:
        RunError: something else bears the name.
    """
    form = _FORMATS[path.suffix.lower()]
    if form.module.endswith("parquet_file"):
        is_own = not path.is_symlink() and path.is_file() and _is_own_parquet(path)
    elif form.mark is not None:
        is_own = not path.is_symlink() and path.is_file() and _starts_with(path, form.mark)
    else:
        check_table(path, _FIRST_COLUMNS)
        return
    if not is_own:
        raise RunError(
            f"{path} exists and is not a table that lensnet has written, so it is left alone. Name "
            "another file with -o."
        )


def write_table_file(path: Path, content: TableContent) -> None:
    """Writes a table, whole or not at all, and with no more than a piece of it in memory.

    Args:
        path: the file; its ending says the format.
        content: the table.

    Raises:
        ConfigurationError: as `check_ending`.
        DataError: the format cannot hold a value.
    """
    check_ending(path)
    module: _Module = importlib.import_module(_FORMATS[path.suffix.lower()].module)
    with files.replacing(path) as temporary:
        module.write(temporary, content)


def _starts_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        start = file.read(100_000)
    return not start or mark in start


def _is_own_parquet(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.stat().st_size:
        return True
    try:
        return b"lensnet" in (pq.read_schema(path).metadata or {})
    except (pa.ArrowInvalid, OSError):
        return False
