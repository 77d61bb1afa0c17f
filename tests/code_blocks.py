"""The blocks of code of the documentation, as the Markdown parser finds them."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["Block", "PAGES", "ROOT", "blocks", "shell_commands"]

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "datasets").glob("*/README.md")),
]
_REASON = re.compile(r"<!-- not run: (\S.*?) -->")


@dataclass(frozen=True)
class Block:
    """A block of code: where it stands, its language, and why it is not run, if it says so."""

    place: str
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return self.place


def blocks(language: str | None = None, path: Path | None = None) -> list[Block]:
    """Returns the blocks of all pages, or of one, in a language, or in any.

    A block that no test runs says why in the line above it: `<!-- not run: needs a cluster -->`.
    What only Sphinx reads (`{toctree}` and other directives) is not code.
    """
    pages = PAGES if path is None else [path]
    found = itertools.chain.from_iterable(map(_blocks_of, pages))
    return [block for block in found if language in (None, block.language)]


def _blocks_of(path: Path) -> Iterator[Block]:
    tokens = MarkdownIt().parse(path.read_text(encoding="utf-8"))
    for before, token in itertools.pairwise([None, *tokens]):
        if token.type not in ("fence", "code_block") or token.info.startswith("{"):
            continue
        said = _REASON.search(before.content) if before and before.type == "html_block" else None
        place = f"{path.relative_to(ROOT)}:{token.map[0] + 1}"
        yield Block(place, token.info.strip(), token.content, said[1] if said else None)


def shell_commands(text: str) -> list[list[str]]:
    """Returns the simple commands of a script, without redirections and variables before them."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        is_operator = {"&&", "||", "|", ";", "&"}.__contains__
        for ends, words in itertools.groupby(lexer, key=is_operator):
            command = list(itertools.dropwhile(re.compile(r"\w+=").match, _without_files(words)))
            if command and not ends:
                found.append(command)
    return found


def _without_files(words: Iterator[str]) -> Iterator[str]:
    """Leaves redirections out, each with the file that it names."""
    for word in words:
        if word in (">", ">>", "<"):
            next(words)
        else:
            yield word
