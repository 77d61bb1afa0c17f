"""From a YAML file to an `Experiment`, or to messages that say how to mend the file."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lensnet import registry
from lensnet.config.documents import Document, dump, parse_document, parse_value
from lensnet.config.ensemble import EnsembleFile
from lensnet.config.experiment import Experiment
from lensnet.config.inheritance import BASE, with_bases
from lensnet.config.problems import problems
from lensnet.errors import ConfigurationError, UnknownNameError, did_you_mean

__all__ = [
    "json_schema",
    "load",
    "load_ensemble_file",
    "open_document",
    "override",
    "place_of",
    "read_document",
    "to_yaml",
    "validate",
    "worded",
]

# Parsing takes some seconds a megabyte.
_LARGEST_FILE = 500_000


def load(
    path: str | Path, overrides: Sequence[str] = (), *, check_source: bool = True
) -> Experiment:
    """Reads and checks an experiment file.

    Args:
        path: the YAML file; `base` in it names another that it is based on.
        overrides: `"dotted.key=value"` strings, applied in order; values are read as YAML.
        check_source: whether to check that the user's directory offers what the experiment needs;
            without it, no other file is looked at, and there is no `base`.

    Raises:
        ConfigurationError: the file is missing, not YAML, or not an experiment; the message has
            a line for every problem, with file, line, key and what is allowed.
        DataError: the user's directory that it names is missing or holds no images.
    """
    document = _overridden(Path(path), overrides, with_base=check_source)
    return validate(document, check_source=check_source)


def place_of(key: str, path: str | Path, overrides: Sequence[str] = ()) -> str:
    """Returns where a key stands, as messages name it: `file.yaml:12`, or the override.

    Args:
        key: dotted; of one that is missing, the place of its section is given.
        path: the YAML file.
        overrides: as of `load`.

    Raises:
        ConfigurationError: the file is missing or not YAML.
    """
    return _overridden(Path(path), overrides).place(tuple(key.split(".")))


def _overridden(path: Path, overrides: Sequence[str], *, with_base: bool = True) -> Document:
    document = read_document(path)
    if with_base:
        # It decides what there is to override.
        chosen = [text for text in overrides if text.partition("=")[0].strip() == BASE]
        base = parse_value(chosen[-1].partition("=")[2], f"--set {chosen[-1]}") if chosen else None
        document = with_bases(document, path, read_document, base)
        overrides = [text for text in overrides if text not in chosen]
    for text in overrides:
        override(document, text)
    return document


def read_document(path: Path) -> Document:
    """Reads an experiment file and parses it.

    Raises:
        ConfigurationError: the file is missing, or not YAML.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is not a file")
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise OSError(f"it has {size / 1e6:.1f} MB, far more than an experiment")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"There is no experiment file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as a YAML file: {error}.") from None
    return parse_document(text, str(path))


def validate(document: Document, *, check_source: bool = True) -> Experiment:
    """Checks a parsed document.

    Args:
        document: what was parsed.
        check_source: as of `load`.

    Raises:
        ConfigurationError: as `load`.
    """
    if not isinstance(document.content, dict):
        raise ConfigurationError(
            f"{document.name}: an experiment is a mapping with the keys "
            f"{', '.join(_keys_of(Experiment))}; got "
            f"{'an empty file' if document.content is None else type(document.content).__name__}."
        )
    try:
        experiment = Experiment.model_validate(document.content)
    except ValidationError as error:
        errors = error.errors()
        if any(details["loc"] == ("task",) for details in errors):
            # The loss follows from the task: without one, its absence is no second problem.
            errors = [details for details in errors if details["type"] != "missing"]
        lines = [_format_error(document, Experiment, (), details) for details in errors]
        raise ConfigurationError("\n".join(dict.fromkeys(lines))) from None
    _check_options(document, experiment)
    found = [
        f"{document.place(path)}: {'.'.join(path)}: {message}."
        for path, message in problems(experiment, check_source=check_source)
    ]
    if found:
        raise ConfigurationError("\n".join(found))
    return experiment


def load_ensemble_file(path: Path) -> EnsembleFile:
    """Reads and checks the file of an ensemble.

    Raises:
        ConfigurationError: the file is missing, not YAML, or not of an ensemble; the message has a
            line for every problem, with file, line, key and what is allowed.
    """
    document = read_document(path)
    if not isinstance(document.content, dict):
        raise ConfigurationError(
            f"{document.name}: the file of an ensemble is a mapping with the keys "
            f"{', '.join(_keys_of(EnsembleFile))}."
        )
    try:
        return EnsembleFile.model_validate(document.content)
    except ValidationError as error:
        raise ConfigurationError("\n".join(worded(document, EnsembleFile, error))) from None


def open_document(path: Path) -> Document:
    """Reads an experiment file as `load` does, `base` and all, and checks nothing of what it says.

    Raises:
        ConfigurationError: as `read_document`.
    """
    return _overridden(path, ())


def override(document: Document, text: str) -> None:
    """Sets a key of a document by `"dotted.key=value"`, as `--set` gives it.

    Raises:
        ConfigurationError: it has another form, or the key leads through a value.
    """
    key, equals, value = text.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        raise ConfigurationError(f'--set takes key=value, such as training.epochs=3; got "{text}".')
    origin = f"--set {text}"
    document.override(path, parse_value(value, origin), origin)


def worded(
    document: Document, model: type[BaseModel], error: ValidationError, prefix: tuple[Any, ...] = ()
) -> list[str]:
    """Words pydantic's errors for the person who wrote a file, a line for each.

    Args:
        document: what was parsed.
        model: by which it was checked, in whole or in part.
        error: what came of it.
        prefix: the path of the part that was checked.
    """
    lines = [_format_error(document, model, prefix, details) for details in error.errors()]
    return list(dict.fromkeys(lines))


def to_yaml(experiment: Experiment) -> str:
    """Writes an experiment, every default written out, as the YAML that `load` reads back."""
    content = experiment.model_dump(mode="json")
    if content["ensemble"] is None:
        del content["ensemble"]  # of the folders that `lensnet ensemble` makes alone
    return dump(content)


def json_schema() -> dict[str, Any]:
    """Returns the JSON schema of an experiment file, names of data sets and backbones included."""
    schema = Experiment.model_json_schema()
    definitions = schema["$defs"]
    schema["properties"]["task"]["enum"] = registry.tasks.names()
    del schema["properties"]["ensemble"]  # nobody writes it
    schema["properties"][BASE] = {
        "type": "string",
        "description": "Another experiment file, from the folder of this one on, whose keys count "
        "wherever this one has none.",
    }
    definitions["Data"]["properties"]["dataset"]["enum"] = registry.datasets.names()
    definitions["Data"]["properties"]["options"]["anyOf"] = [
        {"title": name, **registry.datasets.get(name).options.model_json_schema()}
        for name in registry.datasets.names()
    ]
    definitions["Model"]["properties"]["backbone"]["anyOf"] = [
        {"enum": registry.backbones.names()},
        {"pattern": "^hub:", "description": "A preset of KerasHub, where it is installed."},
    ]
    # Both are filled in by the task where they are missing.
    schema["required"] = [key for key in schema["required"] if key != "training"]
    definitions["Training"].pop("required", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _check_options(document: Document, experiment: Experiment) -> None:
    """Words the problems of `data.options` by the data set's own schema."""
    try:
        options = experiment.dataset.options
    except UnknownNameError:
        return  # named by `problems`
    try:
        options.model_validate(experiment.data.options)
    except ValidationError as error:
        prefix = ("data", "options")
        problems = [_format_error(document, options, prefix, details) for details in error.errors()]
        raise ConfigurationError("\n".join(problems)) from None


def _format_error(
    document: Document,
    model: type[BaseModel],
    prefix: tuple[Any, ...],
    details: ErrorDetails,
) -> str:
    """Words one of pydantic's errors for the person who wrote the file."""
    path = prefix + _path_in_file(document.content, prefix, details)
    place = document.place(path)
    key = ".".join(str(part) for part in path) or "the file"
    kind = details["type"]
    if kind == "extra_forbidden":
        allowed = _allowed_keys(model, details["loc"][:-1])
        return (
            f"{place}: {key}: unknown key.{did_you_mean(str(path[-1]), allowed)} "
            f"Allowed: {', '.join(allowed)}."
        )
    if kind == "missing":
        return f"{place}: {key}: this key is missing and has no default."
    message = details["msg"].removeprefix("Value error, ").rstrip(".")
    message = message[:1].lower() + message[1:]
    if kind in ("literal_error", "union_tag_invalid"):
        context = details.get("ctx", {})
        allowed = [
            part.strip(" '")
            for part in str(context.get("expected") or context.get("expected_tags", ""))
            .replace(" or ", ", ")
            .split(",")
        ]
        given = details["input"] if kind == "literal_error" else context.get("tag")
        return (
            f"{place}: {key}: got {given!r}.{did_you_mean(str(given), allowed)} "
            f"Allowed: {', '.join(allowed)}."
        )
    if kind == "union_tag_not_found":
        return f'{place}: {key}: needs a "name".'
    if kind == "value_error":
        return f"{place}: {key}: {message}."
    return f"{place}: {key}: {message}; got {details['input']!r}."


def _path_in_file(content: Any, prefix: tuple[Any, ...], details: ErrorDetails) -> tuple[Any, ...]:
    """Drops from pydantic's location what is not a key of the file: the tags of unions."""
    for part in prefix:
        content = content.get(part) if isinstance(content, dict) else None
    location = details["loc"]
    path: list[Any] = []
    for index, part in enumerate(location):
        is_last_key = index == len(location) - 1 and details["type"] in (
            "missing",
            "extra_forbidden",
        )
        if isinstance(content, dict) and (part in content or is_last_key):
            path.append(part)
            content = content.get(part)
        elif isinstance(content, list) and isinstance(part, int) and part < len(content):
            path.append(part)
            content = content[part]
    if details["type"] == "union_tag_invalid":
        path.append("name")
    return tuple(path)


def _allowed_keys(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    """The keys of the section at a location of the schema, which names unions by their tags."""
    candidates = [model]
    for part in location:
        fields = candidates[0].model_fields
        if len(candidates) > 1:
            candidates = [m for m in candidates if m.model_fields["name"].default == part]
        elif part in fields:
            candidates = list(_models_in(fields[part].annotation)) or candidates
    return _keys_of(candidates[0])


def _keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a section that people write."""
    keys = list(model.model_fields)
    return [BASE, *(key for key in keys if key != "ensemble")] if model is Experiment else keys


def _models_in(annotation: Any) -> typing.Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated, list):
        for argument in typing.get_args(annotation):
            yield from _models_in(argument)
