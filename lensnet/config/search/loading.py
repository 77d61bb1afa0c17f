"""From the file of a search to a `SearchPlan`, or to messages that say how to mend the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from lensnet.config.documents import Document
from lensnet.config.loading import open_document, override, read_document, worded
from lensnet.config.search.checks import probe, problems_of
from lensnet.config.search.file import Search
from lensnet.config.search.parameters import parse_space
from lensnet.config.search.plan import SearchPlan
from lensnet.errors import ConfigurationError

__all__ = ["load_search"]


def load_search(
    path: str | Path, overrides: Sequence[str] = (), *, check_source: bool = True
) -> SearchPlan:
    """Reads and checks the file of a search, and each of its parameters against the experiment.

    Args:
        path: the YAML file.
        overrides: `"dotted.key=value"` strings, such as `"experiment.training.epochs=2"`.
        check_source: as of `lensnet.config.load`.

    Raises:
        ConfigurationError: the file is missing, not YAML, or not a search; the message has a line
            for every problem, with file, line, key and what is allowed.
        DataError: the user's directory that the experiment names is missing or holds no images.
    """
    document, base = _read(Path(path), overrides)
    try:
        search = Search.model_validate(document.content)
    except ValidationError as error:
        raise ConfigurationError("\n".join(worded(document, Search, error))) from None
    space = parse_space(document)
    _refuse(probe(document, base, space, check_source))
    plan = SearchPlan(search, space, base)
    _refuse([f"{document.place(at)}: {'.'.join(at)}: {what}." for at, what in problems_of(plan)])
    return plan


def _refuse(lines: Sequence[str]) -> None:
    if lines:
        raise ConfigurationError("\n".join(dict.fromkeys(lines)))


def _read(path: Path, overrides: Sequence[str]) -> tuple[Document, Document]:
    """Returns the document of a search, and that of the experiment in it."""
    document = read_document(path)
    if not isinstance(document.content, dict):
        raise ConfigurationError(
            f"{document.name}: a search is a mapping with the keys "
            f"{', '.join(Search.model_fields)}."
        )
    # Which experiment it is decides what there is to override in it.
    chosen = [text for text in overrides if text.partition("=")[0].strip() == "experiment"]
    for text in chosen:
        override(document, text)
    whose = _insert_experiment(document, path.parent)
    for text in overrides:
        if text not in chosen:
            override(document, text)
    return document, _part(document, "experiment", whose)


def _insert_experiment(document: Document, folder: Path) -> str:
    """Puts the experiment that a search names in the place of its name; returns whose it is."""
    named = document.content.get("experiment")
    if not isinstance(named, str):
        return document.name
    place = document.place(("experiment",))
    other = folder / Path(named).expanduser()
    if not other.is_file():
        raise ConfigurationError(f"{place}: experiment: there is no file {other}.")
    found = open_document(other)
    if not isinstance(found.content, dict):
        raise ConfigurationError(f"{place}: experiment: {other} is not a mapping of keys.")
    document.content["experiment"] = found.content
    document.places |= {("experiment", *at): where for at, where in found.places.items()}
    return found.name


def _part(document: Document, key: str, name: str) -> Document:
    """Returns a section as a document of its own."""
    places = {at[1:]: where for at, where in document.places.items() if at[:1] == (key,) and at[1:]}
    return Document(name, document.content.get(key), places)
