"""The tables of the pages."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Column heads and rows of cells; the first cell of a row names it."""

    heads: list[str]
    rows: list[list[str]]
