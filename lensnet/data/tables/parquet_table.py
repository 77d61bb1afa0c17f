"""Tables in Parquet files, and in folders of them, such as HATS catalogues."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lensnet.data.files.bad_file import reading
from lensnet.data.files.catalogue_rows import check_unique
from lensnet.data.tables.ecsv_header import fields_of_header
from lensnet.data.tables.table import Table, described
from lensnet.data.tables.votable import votable_fields
from lensnet.errors import DataError

__all__ = ["ParquetTable", "parquet_files"]

ENDINGS = (".parquet", ".parq", ".pq")

_ASTROPY = b"table_meta_yaml"
_VIRTUAL_OBSERVATORY = b"IVOA.VOTable-Parquet.content"


def parquet_files(folder: Path) -> list[Path]:
    """Returns the Parquet files below a folder, in the order of their names.

    What begins with `_` or `.`, such as `_metadata` and what is still being written, is none. Of a
    HATS collection (https://hats.readthedocs.io) the primary table is taken, and neither its
    margins nor its indexes.
    """
    main = _primary_table(folder)
    found: list[Path] = []
    for directory, folders, names in os.walk(main, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
        found += [
            Path(directory, name)
            for name in sorted(names)
            if name.lower().endswith(ENDINGS) and not name.startswith(("_", "."))
        ]
    return sorted(found)


def _primary_table(folder: Path) -> Path:
    """Returns the folder of a collection's primary table; of any other folder itself."""
    try:
        lines = (folder / "collection.properties").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return folder
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "hats_primary_table_url" and (folder / value.strip()).is_dir():
            return folder / value.strip()
    return folder


@final
class ParquetTable(Table):
    """The rows of one or many Parquet files, which need not have all columns in common.

    Where astropy has written `x` with `x.mask` beside it, what is masked is null.

    Args:
        path: the file or the folder.
        files: the files, in order.
        schema: of all of them together.
    """

    def __init__(self, path: Path, files: Sequence[Path], schema: pa.Schema):
        check_unique(path, schema.names)
        self._masks = _masks_in(schema)
        shown = [field for field in schema if field.name not in self._masks.values()]
        super().__init__(path, tuple(field.name for field in shown))
        self.files = tuple(files)
        self._schema = pa.schema(shown)

    @classmethod
    def open(cls, path: Path) -> ParquetTable:
        """Reads the footers of the files.

        Raises:
            DataError: there is no such file, or they do not belong together.
        """
        files = parquet_files(path) if path.is_dir() else [path]
        if not files:
            raise DataError(f"The folder {path} holds no Parquet file.")
        schemas = []
        for file in files:
            with reading(f"The table {file}"):
                fields = _with_descriptions(pq.read_schema(file))
                schemas.append(pa.schema([_plain(field) for field in fields]))
        if len(files) > 1 and len({schema.remove_metadata() for schema in schemas}) == 1:
            schemas = schemas[:1]
        with reading(f"The table {path}"):
            schema = pa.unify_schemas(schemas, promote_options="permissive").remove_metadata()
        return cls(path, files, schema)

    @property
    def schema(self) -> pa.Schema:
        """The types of the columns; see `Table`."""
        return self._schema

    def pieces(self, rows: int = 65536, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yields the rows; see `Table`.

        Args:
            rows: how many at a time, at most.
            columns: those that are read, in this order; None for all.
        """
        wanted = self.column_names if columns is None else columns
        schema = pa.schema([self._schema.field(name) for name in wanted])
        stored = {*wanted, *(self._masks[name] for name in wanted if name in self._masks)}
        for path in self.files:
            with reading(f"The table {path}"), pq.ParquetFile(path, pre_buffer=False) as file:
                there = set(file.schema_arrow.names)
                read = [name for name in file.schema_arrow.names if name in stored]
                if not read:
                    yield from _nulls(schema, file.metadata.num_rows, rows)
                    continue
                for batch in file.iter_batches(batch_size=rows, columns=read):
                    arrays = [self._column(batch, field, there) for field in schema]
                    yield pa.table(arrays, schema=schema)

    def _column(self, batch: pa.RecordBatch, field: pa.Field, there: set[str]) -> pa.Array:
        if field.name not in there:
            return pa.nulls(batch.num_rows, field.type)
        column = batch.column(field.name).cast(field.type)
        mask = self._masks.get(field.name)
        if mask not in there:
            return column
        hidden = pc.fill_null(batch.column(mask), False)
        return pc.if_else(hidden, pa.scalar(None, field.type), column)


def _nulls(schema: pa.Schema, count: int, rows: int) -> Iterator[pa.Table]:
    """Yields the rows of a file that has none of the columns."""
    for start in range(0, count, rows):
        size = min(rows, count - start)
        yield pa.table([pa.nulls(size, field.type) for field in schema], schema=schema)


def _masks_in(schema: pa.Schema) -> dict[str, str]:
    """Returns the columns that say, by column, which of its values are masked."""
    names = set(schema.names)
    return {
        field.name.removesuffix(".mask"): field.name
        for field in schema
        if field.name.endswith(".mask")
        and field.name.removesuffix(".mask") in names
        and pa.types.is_boolean(field.type)
    }


def _plain(field: pa.Field) -> pa.Field:
    """Returns a field without the ways of storage that mean nothing: dictionaries, large text."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    return field.with_type(kind).with_nullable(True)


def _with_descriptions(schema: pa.Schema) -> pa.Schema:
    """Returns a schema with units and descriptions that stand elsewhere in its file."""
    metadata: Mapping[bytes, bytes] = schema.metadata or {}
    known: dict[str, pa.Field] = {}
    if _ASTROPY in metadata:
        _, fields = fields_of_header(metadata[_ASTROPY].decode().splitlines())
        known = {field.name: field for field in fields}
    elif _VIRTUAL_OBSERVATORY in metadata:
        known = votable_fields(metadata[_VIRTUAL_OBSERVATORY])
    fields = []
    for field in schema:
        said = {**(known[field.name].metadata or {})} if field.name in known else {}
        said |= field.metadata or {}
        unit, text = said.get(b"unit"), said.get(b"description")
        fields.append(described(field, unit and unit.decode(), text and text.decode()))
    return pa.schema(fields)
