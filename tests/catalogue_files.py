"""Tables of objects for tests."""

from __future__ import annotations

import csv

__all__ = ["write_table"]


def write_table(path, rows, columns=None):
    """Writes dictionaries as a CSV file."""
    columns = columns or list(rows[0])
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
