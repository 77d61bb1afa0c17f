"""How the files of an object are named where each band has one of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["BandPattern"]


class BandPattern:
    """How the names of band files are made, such as `{id}_{band}`.

    Args:
        bands: the bands, in the order of the channels.
        file_pattern: the name of a file without its ending; holds {id} and {band} once each.
        apart: whether each band has a folder of its own, so that the id alone says what belongs
            together, wherever it lies.

    >>> BandPattern(("g", "r"), "{id}_{band}").parse("J0029_r")
    ('J0029', 'r')
    """

    def __init__(self, bands: Sequence[str], file_pattern: str, apart: bool = False):
        self.bands = tuple(bands)
        self.file_pattern = file_pattern
        self.apart = apart
        either = "|".join(re.escape(band) for band in sorted(bands, key=len, reverse=True))
        expression = re.escape(file_pattern)
        expression = expression.replace(re.escape("{id}"), "(?P<id>.+)")
        expression = expression.replace(re.escape("{band}"), f"(?P<band>{either})")
        self._expression = re.compile(expression, re.DOTALL)

    def parse(self, stem: str) -> tuple[str, str] | None:
        """Returns the id and the band that a file's name gives, or None if it gives neither."""
        match = self._expression.fullmatch(stem)
        return (match["id"], match["band"]) if match else None
