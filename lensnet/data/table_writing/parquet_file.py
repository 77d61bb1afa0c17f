"""Writing a table as Parquet, with what astropy writes beside it, so that it finds the units."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from lensnet.data.table_writing.content import TableContent
from lensnet.data.table_writing.empty_table import empty_table

__all__ = ["write"]


def write(path: Path, content: TableContent) -> None:
    """Writes a Parquet file; a column keeps whatever type Arrow has for it.

    Args:
        path: the file.
        content: the table.
    """
    from astropy.table.meta import get_yaml_from_table

    words = "\n".join(get_yaml_from_table(empty_table(content.plain())))
    metadata = {**content.about, "table_meta_yaml": words}
    schema = content.schema.with_metadata({**(content.schema.metadata or {}), **metadata})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for piece in content.pieces():
            writer.write_table(piece.replace_schema_metadata(schema.metadata).cast(schema))
