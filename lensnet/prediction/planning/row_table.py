"""The table of what is to be scored: a row an image, or what should have been one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from lensnet.csv_tables import name_as_text
from lensnet.data.sources.folder_listing import Example
from lensnet.prediction.planning.file_names import join_files

__all__ = ["CARRIED", "COLUMNS", "carried_schema", "partition_schema", "rows_of_examples"]

CARRIED = "input_"
"""What stands before the names of the columns of the user's tables."""

COLUMNS = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("file", pa.string()),
        ("problem", pa.string()),
        ("ra", pa.float64()),
        ("dec", pa.float64()),
        ("tile", pa.int32()),
        ("index", pa.int64()),
    ]
)
"""The columns of every partition; `ra` and `dec` in degrees."""


def partition_schema(carried: pa.Schema) -> pa.Schema:
    """Returns the schema of partitions that carry columns of the user's tables."""
    return pa.schema([*COLUMNS, *(field.with_name(CARRIED + field.name) for field in carried)])


def carried_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Returns the columns of several tables, those of one name being one.

    Where two tables do not agree on what it holds, text holds both.
    """
    found: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = found.setdefault(field.name, field)
            if known.type != field.type:
                found[field.name] = known.with_type(_common_type(known.type, field.type))
    return pa.schema(list(found.values()))


def _common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    try:
        unified = pa.unify_schemas(
            [pa.schema([("x", one)]), pa.schema([("x", other)])], promote_options="permissive"
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()
    return unified.field(0).type


def rows_of_examples(
    examples: Sequence[Example], first: int, schema: pa.Schema, indices: Sequence[int] | None = None
) -> pa.Table:
    """Returns rows of images in files.

    Args:
        examples: the images.
        first: the place of the first of them in the whole input.
        schema: of the partitions.
        indices: their places in a stack; None for files of their own.
    """
    count = len(examples)
    known = {
        "row": pa.array(range(first, first + count), pa.int64()),
        "id": pa.array([name_as_text(example.id) for example in examples], pa.string()),
        "file": pa.array([join_files(example.files) for example in examples], pa.string()),
        "problem": pa.array([example.problem for example in examples], pa.string()),
        "index": pa.array(indices, pa.int64()) if indices is not None else None,
    }
    columns = []
    for field in schema:
        column = known.get(field.name)
        columns.append(pa.nulls(count, field.type) if column is None else column)
    return pa.table(columns, schema=schema)
