"""The parameters of a search: what may be drawn for which key, and which values belong together.

Everything that goes through a space does so by `SearchSpace.draw`: a sampler that draws, a grid
that counts, a trial that is read back. Each gives a function that decides on one value at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, model_validator

from lensnet.config.section import Section

__all__ = [
    "Choice",
    "Decide",
    "Decision",
    "Numbers",
    "Parameter",
    "Range",
    "SearchSpace",
    "alternatives",
    "picking",
]

Conditions = dict[str, Any]


class _WithConditions(Section):
    when: Conditions = Field(
        default_factory=dict,
        description="The parameter is tried only where these have one of these values.",
    )


class Range(_WithConditions):
    """A number from `low` to `high`; a whole number where all that is written is whole."""

    low: int | float
    high: int | float
    step: int | float | None = Field(None, gt=0)
    log: bool = Field(False, description="Drawn evenly in its logarithm.")

    @model_validator(mode="after")
    def _is_possible(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low must be below high; got {self.low} and {self.high}")
        if self.log and self.step is not None:
            raise ValueError("a range has a step or is logarithmic, not both")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0; got low: {self.low}")
        if self.step is not None:
            steps = (self.high - self.low) / self.step
            if abs(steps - round(steps)) > 1e-9 * max(steps, 1):
                last = self.low + int(steps) * self.step
                raise ValueError(
                    f"steps of {self.step} from {self.low} do not lead to {self.high}; the last "
                    f"is at {last:g}"
                )
        return self

    @property
    def is_whole(self) -> bool:
        """Whether whole numbers are drawn."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))

    def ends(self) -> list[Any]:
        """Returns the values by which it is checked."""
        return [self.low, self.high]

    def points(self) -> list[Any] | None:
        """Returns every value, None where there is no end of them."""
        if self.log or (self.step is None and not self.is_whole):
            return None
        step = self.step or 1
        count = round((self.high - self.low) / step) + 1
        # Twelve digits: 0.1 + 2 * 0.1 is meant to be 0.3.
        return [
            self.low + i * step if self.is_whole else float(f"{self.low + i * step:.12g}")
            for i in range(count)
        ]


class Choice(_WithConditions):
    """One of some values, of whatever kind."""

    choices: list[Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_once(self) -> Choice:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"each choice may stand once; got {self.choices}")
        return self

    @property
    def labels(self) -> list[str]:
        """The choices as words, of which a database can keep one."""
        return [v if isinstance(v, str) else json.dumps(v, default=str) for v in self.choices]

    def ends(self) -> list[Any]:
        """Returns the values by which it is checked."""
        return self.choices

    def points(self) -> list[Any]:
        """Returns every value."""
        return self.choices


@dataclass(frozen=True)
class Numbers:
    """A list: how long, and what each of its items is, such as the sizes of dense layers.

    Args:
        length: how many items; a range of whole numbers, or a choice of them.
        each: what an item is.
        when: as of the others.
    """

    length: Range | Choice
    each: Range | Choice
    when: Mapping[str, Any]


Parameter = Range | Choice | Numbers
Decision = Range | Choice
Decide = Callable[[str, Decision], Any]
"""Decides on the value of what has a name, within what it may be."""


@dataclass(frozen=True)
class SearchSpace:
    """The parameters of a search by the key that each sets, those that others depend on first."""

    parameters: Mapping[str, Parameter]

    def draw(self, decide: Decide) -> dict[str, Any]:
        """Decides on one parameter after the other, and returns the value for each key.

        Args:
            decide: asked for each value in turn; a key whose conditions do not hold is left out.
        """
        values: dict[str, Any] = {}
        for key, parameter in self.parameters.items():
            if not all(
                other in values and holds(self.parameters[other], values[other], wanted)
                for other, wanted in parameter.when.items()
            ):
                continue
            if isinstance(parameter, Numbers):
                length = decide(f"{key}.length", parameter.length)
                values[key] = [decide(f"{key}.{i}", parameter.each) for i in range(length)]
            else:
                values[key] = decide(key, parameter)
        return values

    def decisions(self) -> dict[str, Decision]:
        """Returns all that can be decided on; of the items of a list the first stands for all."""
        found: dict[str, Decision] = {}
        for key, parameter in self.parameters.items():
            if isinstance(parameter, Numbers):
                found |= {f"{key}.length": parameter.length, f"{key}.0": parameter.each}
            else:
                found[key] = parameter
        return found

    def points(self) -> Iterator[dict[str, Any]]:
        """Yields each combination once, as the decisions by name, the last varying fastest.

        Raises:
            ValueError: there is no end of the values of one.
        """
        beginning: list[int] = []
        while True:
            made: dict[str, Any] = {}
            taken: list[tuple[int, int]] = []
            self.draw(_counting(beginning, taken, made))
            yield made
            while taken and taken[-1][0] == taken[-1][1] - 1:
                taken.pop()
            if not taken:
                return
            beginning = [place for place, _ in taken]
            beginning[-1] += 1


def _counting(beginning: list[int], taken: list[tuple[int, int]], made: dict[str, Any]) -> Decide:
    """Decides by the places of values: those of `beginning`, then always the first."""

    def decide(name: str, decision: Decision) -> Any:
        values = decision.points()
        if values is None:
            raise ValueError(name)
        place = beginning[len(taken)] if len(taken) < len(beginning) else 0
        taken.append((place, len(values)))
        made[name] = values[place]
        return made[name]

    return decide


def holds(parameter: Parameter, value: Any, wanted: Any) -> bool:
    """Returns whether a parameter's value is the one that is wanted, or among those that are."""
    return any(_equal(value, each) for each in alternatives(parameter, wanted))


def alternatives(parameter: Parameter, wanted: Any) -> list[Any]:
    """Returns what a condition names: a list is several values, unless it is itself a choice."""
    whole = isinstance(parameter, Choice) and any(_equal(wanted, c) for c in parameter.choices)
    return wanted if isinstance(wanted, list) and not whole else [wanted]


def _equal(value: Any, other: Any) -> bool:
    # To Python, true and 1 are equal.
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def picking(pick: int, forced: Mapping[str, Any]) -> Decide:
    """Decides on the first or the last of what there is, but for what is forced."""

    def decide(name: str, decision: Decision) -> Any:
        return forced[name] if name in forced else decision.ends()[pick]

    return decide
