"""A page of parts one below the other, each a heading with a table, a note or figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lensnet.reporting.embedded_figure import EmbeddedFigure
from lensnet.reporting.page_rendering import render_page
from lensnet.reporting.tables import Table

__all__ = ["Part", "render_parts"]


@dataclass(frozen=True)
class Part:
    """A part of a page.

    Attributes:
        title: its heading.
        table: what it tells; None for figures alone.
        note: what must be known to read it.
        figures: below.
        name: the style of the table.
    """

    title: str
    table: Table | None = None
    note: str = ""
    figures: tuple[EmbeddedFigure, ...] = ()
    name: str = ""


def render_parts(title: str, chips: Sequence[tuple[str, str]], parts: Sequence[Part]) -> str:
    """Returns a page.

    Args:
        title: its heading.
        chips: names and values below it.
        parts: what follows; one that holds nothing is left out.
    """
    return render_page("page_of_parts.html", title=title, chips=chips, parts=parts)
