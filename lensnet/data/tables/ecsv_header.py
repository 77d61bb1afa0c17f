"""The header of ECSV files: names, types, units and descriptions in comments above a CSV table.

The format is APE 6 (https://github.com/astropy/astropy-APEs/blob/main/APE6.rst).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from lensnet.data.tables.table import described

__all__ = ["field_of", "fields_of_header", "read_ecsv_header"]

_START = "# %ECSV"


def read_ecsv_header(lines: Iterable[str]) -> tuple[str, Sequence[pa.Field]] | None:
    """Returns the separator of an ECSV file and its columns; None for other files.

    Args:
        lines: of the file, from its first on.

    Raises:
        ValueError: the header is damaged.
    """
    comments = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    if not comments or not comments[0].startswith(_START):
        return None
    separator, fields = fields_of_header([line.lstrip("#")[1:].rstrip() for line in comments[1:]])
    return separator, fields


def fields_of_header(lines: Sequence[str]) -> tuple[str, Sequence[pa.Field]]:
    """Returns the separator and the columns that the YAML of an ECSV header declares.

    Raises:
        ValueError: it is damaged.
    """
    from astropy.table.meta import get_header_from_yaml

    try:
        header: Mapping[str, Any] = get_header_from_yaml(lines)
        fields = [field_of(column) for column in header["datatype"]]
    except Exception as error:
        raise ValueError(f"damaged ECSV header: {error}") from error
    return header.get("delimiter", " "), fields


def field_of(column: Mapping[str, Any]) -> pa.Field:
    """Returns a column as an ECSV header declares it.

    Arrays in a cell, which the format writes as JSON, stay text.
    """
    name, kind = str(column["name"]), str(column["datatype"])
    known: dict[str, pa.DataType] = {"bool": pa.bool_(), "float16": pa.float32()}
    numeric = kind.startswith(("int", "uint", "float")) and kind != "float128"
    if "subtype" in column:
        found = pa.string()
    elif kind in known:
        found = known[kind]
    else:
        found = pa.type_for_alias(kind) if numeric else pa.string()
    unit = column.get("unit")
    text = column.get("description")
    return described(
        pa.field(name, found),
        None if unit is None else str(unit),
        None if text is None else str(text),
    )
