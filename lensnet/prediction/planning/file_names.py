"""Files of an object as one text, in a table that every program reads.

>>> text = join_files(["a;b_g.fits", "a;b_r.fits"])
>>> print(text)
a\\x3bb_g.fits;a\\x3bb_r.fits
>>> split_files(text)
['a;b_g.fits', 'a;b_r.fits']
"""

from __future__ import annotations

from collections.abc import Iterable

from lensnet.csv_tables import name_as_text, name_from_text

__all__ = ["join_files", "split_files"]

_SEPARATOR, _ESCAPED = ";", r"\x3b"


def join_files(files: Iterable[str]) -> str:
    """Returns the names of files, whatever bytes they are made of, as one text."""
    return _SEPARATOR.join(name_as_text(file).replace(_SEPARATOR, _ESCAPED) for file in files)


def split_files(text: str) -> list[str]:
    """Returns the names of which `join_files` made a text."""
    if "\\" not in text:
        return text.split(_SEPARATOR)
    # A name with these very characters has had its backslash written as \x5c.
    return [name_from_text(part.replace(_ESCAPED, _SEPARATOR)) for part in text.split(_SEPARATOR)]
