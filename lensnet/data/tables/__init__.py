"""Reading tables of any size, a piece at a time, as Arrow tables with units and missing values.

>>> import pathlib, tempfile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "galaxies.csv"
>>> _ = path.write_text("id,ra,mag\\n0012,10.5,NaN\\n0013,359.99,21\\n")
>>> table = open_table(path)
>>> table.column_names
('id', 'ra', 'mag')
>>> for piece in table.pieces(rows=1):
...     print(piece.to_pylist())
[{'id': '0012', 'ra': 10.5, 'mag': None}]
[{'id': '0013', 'ra': 359.99, 'mag': 21}]
"""

from __future__ import annotations

from lensnet.data.tables.opening import ENDINGS, is_table, open_table, read_table
from lensnet.data.tables.table import Table, problems_of

__all__ = ["ENDINGS", "Table", "is_table", "open_table", "problems_of", "read_table"]
