"""The reference of the YAML, from the models that check it.

`experiment-keys` in a page lists the keys of an experiment, `file-keys MODULE:CLASS` those of
another file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generated_markdown import add_generator, code, plain, table
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python
from sphinx.application import Sphinx

from lensnet import config, registry
from lensnet.config.section import Section

__all__ = ["dataset_options", "experiment_keys", "file_keys", "setup", "undescribed"]

Schema = Mapping[str, Any]
_MOST_NAMES = 16
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def _models() -> dict[str, type[BaseModel]]:
    """The models by the names that they have in a schema."""

    def below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
        yield model
        for child in model.__subclasses__():
            yield from below(child)

    return {model.__name__: model for model in below(Section)}


class _Writer:
    """Writes the keys of one schema as headings and tables."""

    def __init__(self, schema: Schema, model: type[BaseModel]):
        self.definitions = schema.get("$defs", {})
        self.models = {**_models(), model.__name__: model}
        self.undescribed: list[str] = []

    def write(self, schema: Schema, path: str = "", level: int = 2) -> list[str]:
        """Returns the table of a section's keys, then the sections in it, each with a heading."""
        lines = table(["key", "type", "default", "what"], list(self._rows(schema, path)))
        for key, found in schema.get("properties", {}).items():
            if key == "options" and path == "data":
                continue  # each data set has a page
            lines += self._sections(found, f"{path}.{key}".lstrip("."), level)
        return lines

    def _rows(self, schema: Schema, path: str) -> Iterator[list[str]]:
        for key, found in schema.get("properties", {}).items():
            if "const" in found:
                continue  # the name by which a variant is chosen: its heading
            inner = [one for _, one in self._inner(found)]
            said = found.get("description") or (inner[0].get("description", "") if inner else "")
            if not said:
                self.undescribed.append(f"{path}.{key}".lstrip("."))
            yield [code(key), self._type(found), self._default(schema, key), plain(said)]

    def _sections(self, found: Schema, path: str, level: int) -> list[str]:
        inner = self._inner(found)
        several = len(inner) > 1
        lines = [f"{'#' * level} `{path}`", ""] if several else []
        for name, section in inner:
            title = f"`{path}`: `{name}`" if several else f"`{path}`"
            lines += [
                f"{'#' * (level + several)} {title}",
                "",
                plain(section.get("description", "")),
                "",
            ]
            lines += self.write(section, path, min(level + several + 1, 6))
        return lines

    def _inner(self, found: Schema) -> list[tuple[str, Schema]]:
        """The sections that a key may hold, with the names of variants."""
        if "$ref" in found:
            name = found["$ref"].rpartition("/")[2]
            section = self.definitions[name]
            if "properties" not in section:
                return self._inner(section)
            chosen = section["properties"].get("name", {}).get("const")
            return [(chosen or name, section)]
        if "properties" in found:
            if found.get("maxProperties") == 1:  # a mapping of one name to its options
                named = [(name, self._inner(one)) for name, one in found["properties"].items()]
                return [(name, one) for name, inner in named for _, one in inner]
            return [(found.get("title", ""), found)]
        parts = [*found.get("anyOf", []), *found.get("oneOf", [])]
        parts += [found["items"]] if "items" in found else []
        return [section for part in parts for section in self._inner(part)]

    def _type(self, found: Schema) -> str:
        if "enum" in found or "const" in found:
            names = found.get("enum", [found.get("const")])
            if len(names) > _MOST_NAMES:
                return f"one of {len(names)} names"
            return ", ".join(code(json.dumps(name).strip('"')) for name in names)
        parts = found.get("anyOf") or found.get("oneOf")
        if parts and "discriminator" in found:
            return ", ".join(code(name) for name, _ in self._inner(found))
        if parts:
            return " or ".join(dict.fromkeys(self._type(part) for part in parts))
        if "$ref" in found:
            definition = self.definitions[found["$ref"].rpartition("/")[2]]
            return "section" if "properties" in definition else self._type(definition)
        if "properties" in found:
            return "section"
        kind = found.get("type")
        if kind == "array":
            if "prefixItems" in found:
                return f"list: {', '.join(self._type(one) for one in found['prefixItems'])}"
            return f"list of: {self._type(found.get('items', {}))}"
        limits = [text.format(found[key]) for key, text in _LIMITS.items() if key in found]
        if "pattern" in found:
            limits.append(f"matching {code(found['pattern'])}")
        names = {None: "anything", "null": "`null`", "object": "mapping"}
        return ", ".join([names.get(kind, str(kind)), *limits])

    def _default(self, schema: Schema, key: str) -> str:
        if key in schema.get("required", []):
            return "required"
        model = self.models.get(schema.get("title", ""))
        field = model.model_fields.get(key) if model else None
        value = field.get_default(call_default_factory=True) if field else PydanticUndefined
        if value is PydanticUndefined:
            # The task fills it in, or it has no default.
            return "its defaults" if self._type(schema["properties"][key]) == "section" else ""
        if isinstance(value, BaseModel):
            return (
                code(value.name) if isinstance(getattr(value, "name", 0), str) else "its defaults"
            )
        return code(_flow(to_jsonable_python(value)))


def _flow(value: object) -> str:
    """A value as YAML in one line; names without quotes."""
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value)


def experiment_keys() -> str:
    """Returns the keys of an experiment file as Markdown."""
    schema = config.json_schema()
    return "\n".join(_Writer(schema, config.Experiment).write(schema))


def file_keys(place: str) -> str:
    """Returns the keys of the file that a model, `module:Class`, describes."""
    model = registry.load_object(place)
    schema = model.model_json_schema()
    return "\n".join(_Writer(schema, model).write(schema, level=3))


def dataset_options(name: str) -> str:
    """Returns what `data.options` takes for a data set."""
    model = registry.datasets.get(name).options
    schema = model.model_json_schema()
    return "\n".join(_Writer(schema, model).write(schema, level=3)) or "None."


def undescribed() -> list[str]:
    """Returns the keys of an experiment, and of data sets' options, that no description has."""
    schemas = {"": config.json_schema()}
    for name in registry.datasets.names():
        schemas[f"{name}: "] = registry.datasets.get(name).options.model_json_schema()
    found = []
    for prefix, schema in schemas.items():
        writer = _Writer(schema, config.Experiment)
        writer.write(schema)
        found += [prefix + key for key in writer.undescribed]
    return list(dict.fromkeys(found))


def setup(app: Sphinx) -> dict[str, bool]:
    add_generator(app, "experiment-keys", experiment_keys)
    add_generator(app, "file-keys", file_keys)
    return {"parallel_read_safe": True}
