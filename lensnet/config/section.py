"""The base of every section of an experiment file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Pair", "Section"]


class Section(BaseModel):
    """Base of every section: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _two_in_order(value: Any) -> Any:
    """A list of YAML as the tuple it stands for."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"needs two numbers, [low, high]; got {value!r}")
    numbers = [number for number in value if isinstance(number, int | float)]
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        raise ValueError(f"the first number must not be the larger one; got {list(value)}")
    return tuple(value)


Pair = Annotated[tuple[float, float], BeforeValidator(_two_in_order)]
"""Two numbers in ascending order, `[low, high]` in a file."""
