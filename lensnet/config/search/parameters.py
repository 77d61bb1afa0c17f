"""Reading the parameters of a search, each from one of the forms in which it can be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from lensnet.config.documents import Document
from lensnet.config.loading import worded
from lensnet.config.search.space import (
    Choice,
    Decision,
    Numbers,
    Parameter,
    Range,
    SearchSpace,
    alternatives,
)
from lensnet.errors import ConfigurationError, did_you_mean

__all__ = ["parse_space"]

# A trial's name is the search's and its number; objectives and figures are those of one task.
_FIXED = ("name", "task")


def parse_space(document: Document) -> SearchSpace:
    """Reads `parameters` of the document of a search.

    Raises:
        ConfigurationError: with a line for every problem.
    """
    parameters: dict[str, Parameter] = {}
    lines: list[str] = []
    for key, written in document.content["parameters"].items():
        at = ("parameters", key)
        if key in _FIXED or not all(key.split(".")):
            lines.append(f"{document.place(at)}: {'.'.join(at)}: is not a key that is tried.")
            continue
        try:
            parameters[key] = _parse_parameter(document, at, written)
        except ConfigurationError as error:
            lines += str(error).splitlines()
    lines = lines or list(_wrong_conditions(document, parameters))
    if lines:
        raise ConfigurationError("\n".join(lines))
    return SearchSpace(_in_order(document, parameters))


def _parse_parameter(document: Document, at: tuple[str, ...], written: Any) -> Parameter:
    place = f"{document.place(at)}: {'.'.join(at)}"
    if isinstance(written, list):
        return _parse_decision(document, at, written)
    if not isinstance(written, dict):
        raise ConfigurationError(
            f"{place}: is a list of choices, or a mapping with low and high, or with choices, or "
            f"with length and each; got {written!r}."
        )
    if not {"length", "each"} & written.keys():
        return _parse_decision(document, at, written)
    allowed = ("length", "each", "when")
    for key in written:
        if key not in allowed:
            raise ConfigurationError(
                f"{document.place((*at, key))}: {'.'.join(at)}.{key}: unknown key."
                f"{did_you_mean(str(key), allowed)} Allowed: {', '.join(allowed)}."
            )
    for key in ("length", "each"):
        if key not in written:
            raise ConfigurationError(f"{place}.{key}: this key is missing and has no default.")
    length = _parse_decision(document, (*at, "length"), written["length"])
    each = _parse_decision(document, (*at, "each"), written["each"])
    if not all(isinstance(n, int) and n >= 0 for n in length.ends()) or not length.points():
        where = document.place((*at, "length"))
        raise ConfigurationError(f"{where}: {'.'.join(at)}.length: needs whole numbers, 0 or more.")
    when = written.get("when", {})
    if length.when or each.when or not isinstance(when, dict):
        raise ConfigurationError(f"{place}: `when` is a mapping, and of the list as a whole.")
    return Numbers(length, each, when)


def _parse_decision(document: Document, at: tuple[str, ...], written: Any) -> Decision:
    model: type[Range] | type[Choice] = Range
    if isinstance(written, list):
        model, written = Choice, {"choices": written}
    elif not isinstance(written, dict):
        raise ConfigurationError(
            f"{document.place(at)}: {'.'.join(at)}: is a list of choices, or a mapping with low "
            f"and high; got {written!r}."
        )
    elif "choices" in written:
        model = Choice
    try:
        return model.model_validate(written)
    except ValidationError as error:
        raise ConfigurationError("\n".join(worded(document, model, error, at))) from None


def _wrong_conditions(document: Document, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for key, parameter in parameters.items():
        for other, wanted in parameter.when.items():
            at = ("parameters", key, "when", other)
            place = f"{document.place(at)}: {'.'.join(at)}"
            parent = parameters.get(other)
            if parent is None:
                yield (
                    f"{place}: there is no parameter of this name.{did_you_mean(other, parameters)}"
                    f" Allowed: {', '.join(name for name in parameters if name != key)}."
                )
            elif isinstance(parent, Numbers):
                yield f"{place}: a list of numbers is not a condition."
            else:
                for value in alternatives(parent, wanted):
                    if not _is_possible(parent, value):
                        words = (
                            ", ".join(parent.labels)
                            if isinstance(parent, Choice)
                            else f"{parent.low} to {parent.high}"
                        )
                        yield f"{place}: {value!r} is never tried. Allowed: {words}."


def _is_possible(parameter: Decision, value: Any) -> bool:
    if isinstance(parameter, Choice):
        return any(type(value) is type(c) and value == c for c in parameter.choices)
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high


def _in_order(document: Document, parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """Returns the parameters with those first that others depend on."""
    ordered: dict[str, Parameter] = {}
    while len(ordered) < len(parameters):
        ready = [
            k for k, p in parameters.items() if k not in ordered and p.when.keys() <= ordered.keys()
        ]
        if not ready:
            key = next(key for key in parameters if key not in ordered)
            raise ConfigurationError(
                f"{document.place(('parameters', key, 'when'))}: parameters.{key}.when: it depends "
                "on a parameter that depends on it."
            )
        ordered[ready[0]] = parameters[ready[0]]
    return ordered
