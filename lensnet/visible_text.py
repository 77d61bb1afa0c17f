"""Names as they are, on a page or a terminal: what moves or hides text is shown as signs.

A file or a class may have a name that turns the direction of what follows (U+202E), or that holds
control characters. Shown by their numbers they can do nothing.
"""

from __future__ import annotations

import unicodedata

__all__ = ["visible"]


def visible(text: str) -> str:
    """Returns text whose control and direction characters are written out.

    Example:

    >>> visible("lens\\u202efts.exe"), visible("a\\x00b"), visible("two\\nlines")
    ('lens\\\\u202efts.exe', 'a\\\\u0000b', 'two\\nlines')
    """
    if text.isprintable():  # as the content of a picture, which is long
        return text
    return "".join(
        letter
        if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
        else f"\\u{ord(letter):04x}"
        for letter in text
    )
