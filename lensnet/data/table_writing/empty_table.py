"""A table's columns without its rows, as astropy's table, whose writers make headers of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lensnet.data.table_writing.content import TableContent, described_as, is_text

__all__ = ["empty_table"]


def empty_table(content: TableContent) -> Any:
    """Returns an `astropy.table.Table` without rows, with the columns' types, units and words.

    Args:
        content: of plain types.
    """
    from astropy.table import Column, Table

    table = Table(meta=dict(content.about))
    for one in content.schema:
        kind: Any = "U1" if is_text(one.type) else np.dtype(one.type.to_pandas_dtype())
        table.add_column(
            Column(
                name=one.name,
                dtype=kind,
                length=0,
                unit=described_as(one, "unit"),
                description=described_as(one, "description"),
            )
        )
    return table
