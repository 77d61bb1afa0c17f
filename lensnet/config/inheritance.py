"""An experiment file that is based on another: `base: recipe.yaml`.

The file is the other one with its own keys in place of the other's, section by section:

- a list, and any other value that is not a section, is replaced as a whole;
- so is a section whose `name` changes: another optimizer has other keys;
- so are `data.options` where `data.dataset` becomes another.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lensnet.config.documents import Document
from lensnet.errors import ConfigurationError

__all__ = ["BASE", "with_bases"]

BASE = "base"

Keys = tuple[Any, ...]


def with_bases(
    document: Document, path: Path, read: Callable[[Path], Document], base: Any = None
) -> Document:
    """Returns a document with what it takes over from its base, and that from its own.

    Args:
        document: an experiment file.
        path: where it lies; bases are named from its folder on.
        read: reads another file.
        base: what its key `base` is to be instead.

    Raises:
        ConfigurationError: a base is missing, not YAML or not a mapping, or based on itself; with
            file and line.
    """
    if base is not None and isinstance(document.content, dict):
        document.override((BASE,), base, f"--set {BASE}={base}")
    return _resolved(document, path, read, (path.resolve(),))


def _resolved(
    document: Document, path: Path, read: Callable[[Path], Document], above: tuple[Path, ...]
) -> Document:
    if not isinstance(document.content, dict) or BASE not in document.content:
        return document
    place = document.place((BASE,))
    own = {key: value for key, value in document.content.items() if key != BASE}
    name = document.content[BASE]
    if not isinstance(name, str) or not name:
        raise ConfigurationError(
            f"{place}: base: names another experiment file, from the folder of this one on; got "
            f"{name!r}."
        )
    other = path.parent / Path(name).expanduser()
    if not other.is_file():
        raise ConfigurationError(f"{place}: base: there is no file {other}.")
    if other.resolve() in above:
        raise ConfigurationError(
            f"{place}: base: {other} is based on this file, and this file on it. One of them must "
            "stand alone."
        )
    below = _resolved(read(other), other, read, (*above, other.resolve()))
    if not isinstance(below.content, dict):
        raise ConfigurationError(f"{place}: base: {other} is not a mapping of keys.")
    merged = Document(document.name, None)
    merged.content = _merged(below, own, (), merged, document)
    return merged


def _merged(
    below: Document, own: dict[Any, Any], at: Keys, merged: Document, document: Document
) -> Any:
    """Merges a section of a base with what a file says of it, and notes where each key stands."""
    section = _section(below.content, at)
    if at and "name" in section and section["name"] != own.get("name", section["name"]):
        section = {}
    before = section.get("dataset")
    if at == ("data",) and before is not None and own.get("dataset", before) != before:
        section = {key: value for key, value in section.items() if key != "options"}
    result: dict[Any, Any] = {}
    for key in (*section, *(key for key in own if key not in section)):
        path = (*at, key)
        if isinstance(own.get(key), dict) and isinstance(section.get(key), dict):
            result[key] = _merged(below, own[key], path, merged, document)
            merged.places[path] = document.places.get(path, below.places.get(path, merged.name))
        else:
            source = document if key in own else below
            result[key] = own[key] if key in own else section[key]
            merged.places |= {
                p: place for p, place in source.places.items() if p[: len(path)] == path
            }
    return result


def _section(content: Any, at: Keys) -> dict[Any, Any]:
    for key in at:
        content = content[key]
    section: dict[Any, Any] = content
    return section
