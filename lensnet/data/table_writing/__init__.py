"""Writing tables of any size, a piece at a time, in the format that their file's ending says.

>>> import pathlib, tempfile
>>> import pyarrow as pa
>>> path = pathlib.Path(tempfile.mkdtemp()) / "scores.csv"
>>> piece = pa.table({"id": ["a", "b"], "score": pa.array([0.5, None])})
>>> write_table_file(path, TableContent(piece.schema, 2, lambda: iter([piece])))
>>> print(path.read_text(), end="")
id,score
a,0.5
b,
"""

from __future__ import annotations

from lensnet.data.table_writing.content import TableContent
from lensnet.data.table_writing.formats import (
    ENDINGS,
    check_ending,
    check_own_table,
    write_table_file,
)

__all__ = ["ENDINGS", "TableContent", "check_ending", "check_own_table", "write_table_file"]
