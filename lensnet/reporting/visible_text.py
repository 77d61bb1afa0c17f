"""Names as they are, on a page: markup is text by escaping, and what moves text is shown as signs.

A file or a class may have a name that turns the direction of what follows (U+202E), or holds
control characters. Shown by their numbers they can do nothing.
"""

from __future__ import annotations

import unicodedata
from importlib import resources
from typing import Any

import jinja2

__all__ = ["page_environment", "visible"]


def visible(text: str) -> str:
    """Returns text whose control and direction characters are written out.

    Example:

    >>> visible("lens\\u202efts.exe"), visible("a\\x00b"), visible("two\\nlines")
    ('lens\\\\u202efts.exe', 'a\\\\u0000b', 'two\\nlines')
    """
    return "".join(
        letter
        if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
        else f"\\u{ord(letter):04x}"
        for letter in text
    )


def page_environment() -> tuple[jinja2.Environment, dict[str, str]]:
    """Returns what fills the templates of this package, and these, by their file names."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    room = resources.files(__package__ or "lensnet.reporting")
    pages = {
        path.name: path.read_text("utf-8") for path in room.iterdir() if path.name.endswith(".html")
    }
    environment.loader = jinja2.DictLoader(pages)
    return environment, pages


def _finalize(value: Any) -> Any:
    return visible(value) if type(value) is str else value
