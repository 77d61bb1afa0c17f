"""Reading YAML so that every key keeps its line, by the rules that people expect.

PyYAML follows YAML 1.1, where `no` is False (and a class of lenses without substructure is called
`no`), `1e-3` is a string, and a key that stands twice silently wins. Here scalars follow the core
schema of YAML 1.2, and a doubled key is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from lensnet.errors import ConfigurationError

__all__ = ["Document", "dump", "parse_document", "parse_value"]

Path = tuple[Any, ...]

# An experiment has four levels and some hundred keys.
_DEEPEST = 40
_MOST_VALUES = 20_000


@dataclass
class Document:
    """A parsed YAML file.

    Args:
        name: the file's name, for messages.
        content: what it holds.
        places: where each key or list item stands (`"file.yaml:12"`), by its path.
    """

    name: str
    content: Any
    places: dict[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """Words where a key stands; for one that is missing, where its section does."""
        while path and path not in self.places:
            for known, place in self.places.items():
                if known[: len(path)] == path:
                    return place  # a section made by an override of one of its keys
            path = path[:-1]
        return self.places.get(path, self.name)

    def override(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Sets a key, whose place is from now on `origin`; sections are made as needed.

        Raises:
            ConfigurationError: the path leads through a value that is not a section.
        """
        if self.content is None:
            self.content = {}
        section = self.content
        for part in path[:-1]:
            if isinstance(section, dict) and section.get(part) is None:
                section[part] = {}
            section = section[part] if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise ConfigurationError(f'{origin}: "{".".join(path[:-1])}" is not a section.')
        section[path[-1]] = value
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]
        self.places[path] = origin


class _Loader(yaml.SafeLoader):
    """A safe loader with the scalars of YAML 1.2's core schema, which goes no deeper than it must.

    Without limits, 100,000 brackets end the process, and a million values its user's patience.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    _depth = 0
    _count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Composes a node and those in it."""
        self._depth += 1
        self._count += 1
        if self._depth > _DEEPEST or self._count > _MOST_VALUES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            many = f"it has more than {_MOST_VALUES:,} values"
            problem = "it is nested too deeply" if self._depth > _DEEPEST else many
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Dumper(yaml.SafeDumper):
    """A safe dumper that quotes what `_Loader` would read as something else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def ignore_aliases(self, data: Any) -> bool:
        """Writes equal values out in full."""
        return True


_CORE_SCHEMA = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}
for _class in (_Loader, _Dumper):
    for _tag, (_pattern, _first) in _CORE_SCHEMA.items():
        _class.add_implicit_resolver(  # type: ignore[no-untyped-call]
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
        )


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = node.value
    # A number with a leading zero is not octal in YAML 1.2.
    return int(text, 16) if text.lower().startswith("0x") else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def parse_document(text: str, name: str) -> Document:
    """Parses the text of a YAML file.

    Raises:
        ConfigurationError: it is not YAML, or a key stands twice; with file and line.
    """
    document = Document(name, None)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _count_values(node, {}, name)
                _note_places(node, (), document)
                document.content = loader.construct_document(node)  # type: ignore[no-untyped-call]
        finally:
            loader.dispose()  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigurationError(f"{place}: not valid YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        # PyYAML trips over a tag that does not fit its value, such as `!!bool x`.
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{name}: not valid YAML: {reason}.") from None
    return document


def parse_value(text: str, name: str) -> Any:
    """Parses the value of a `--set key=value`."""
    return parse_document(text, name).content


def dump(content: Any) -> str:
    """Writes plain values as YAML that `parse_document` reads back equal."""
    return yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False
    )


def _count_values(node: yaml.Node, known: dict[int, int | None], name: str) -> int:
    """Counts the values that a node stands for, each alias written out in full.

    Args:
        node: the node.
        known: what has been counted, by the node's identity; None for what is being counted.
        name: the file's name.

    Raises:
        ConfigurationError: an alias stands for something that it is a part of, or aliases of
            aliases stand for more values than there is memory for.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1
    place = f"{name}:{node.start_mark.line + 1}"
    if id(node) in known:
        count = known[id(node)]
        if count is None:
            raise ConfigurationError(f"{place}: an alias stands for what it is itself a part of.")
        return count
    known[id(node)] = None
    below = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
    count = 1 + sum(_count_values(part, known, name) for part in below)
    if count > _MOST_VALUES:
        raise ConfigurationError(
            f"{place}: aliases and lists stand for more than {_MOST_VALUES:,} values."
        )
    known[id(node)] = count
    return count


def _note_places(node: yaml.Node, path: Path, document: Document) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                line = key_node.start_mark.line + 1
                raise ConfigurationError(f"{document.name}:{line}: a key is one word or number.")
            place = f"{document.name}:{key_node.start_mark.line + 1}"
            if (*path, key) in document.places and key != "<<":
                raise ConfigurationError(
                    f'{place}: the key "{key}" stands twice; first at '
                    f"{document.places[(*path, key)]}."
                )
            document.places[(*path, key)] = place
            _note_places(value_node, (*path, key), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.places[(*path, index)] = f"{document.name}:{item.start_mark.line + 1}"
            _note_places(item, (*path, index), document)
