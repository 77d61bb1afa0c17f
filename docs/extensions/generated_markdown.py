"""What the references share: Markdown that is made at the build and read as part of the page.

A page holds a block such as

    ```{experiment-keys}
    ```

in whose place a function's answer is put before the page is parsed, headings included.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sphinx.application import Sphinx

__all__ = ["add_generator", "cell", "code", "plain", "table"]

_CODE = re.compile(r"(`+.+?`+|^ {4}[^\n]*$)", re.MULTILINE | re.DOTALL)


def add_generator(app: Sphinx, name: str, generate: Callable[..., str]) -> None:
    """Has blocks `{name} arguments` replaced by what a function makes of the arguments."""
    block = re.compile(rf"^```{{{name}}}(.*)\n```$", re.MULTILINE)

    def replace(app: Sphinx, page: str, source: list[str]) -> None:
        if block.search(source[0]):
            app.env.note_reread()  # what it is made of may change while the page does not
        source[0] = block.sub(lambda match: generate(*match[1].split()), source[0])

    app.connect("source-read", replace)


def code(value: object) -> str:
    """Returns a value as code in a line of text."""
    return f"`{value}`"


def plain(text: str) -> str:
    """Returns text whose stars, underscores and angle brackets are themselves; code stays code."""
    parts = _CODE.split(text)
    parts[::2] = [re.sub(r"([*_<>])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def cell(text: str) -> str:
    """Returns text as it may stand in a table: in one line, and bars as such."""
    return " ".join(text.split()).replace("|", "\\|")


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Returns the lines of a table, and none where there are no rows."""
    if not rows:
        return []
    lines = [header, ["---"] * len(header), *([cell(text) for text in row] for row in rows)]
    return ["", *(f"| {' | '.join(line)} |" for line in lines), ""]
