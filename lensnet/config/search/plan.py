"""A search that has been checked: what it tries, how often, and what a trial is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lensnet.config.documents import Document, dump
from lensnet.config.experiment import Experiment
from lensnet.config.loading import validate
from lensnet.config.search.file import Grid, MedianRule, NoPruner, Pruner, Search
from lensnet.config.search.space import Choice, Range, SearchSpace, picking
from lensnet.errors import ConfigurationError

__all__ = ["SearchPlan", "with_values"]

_TRIALS = 40


@dataclass(frozen=True)
class SearchPlan:
    """A search that has been checked.

    Args:
        search: what the file says.
        space: its parameters.
        base: the experiment that they are set in, as it is written.
    """

    search: Search
    space: SearchSpace
    base: Document

    @property
    def name(self) -> str:
        """The search's name."""
        return self.search.name

    @property
    def objectives(self) -> list[str]:
        """What is measured of a trial, the first being the one that decides."""
        return self.search.objective

    @property
    def pruner(self) -> Pruner:
        """What stops a trial."""
        if self.search.pruner is not None:
            return self.search.pruner
        return NoPruner() if len(self.objectives) > 1 else MedianRule()

    @property
    def trials(self) -> int:
        """How many trials are begun."""
        if self.search.trials is not None:
            return self.search.trials
        return len(self.points) if self.points else _TRIALS

    @cached_property
    def points(self) -> list[dict[str, Any]]:
        """The points of a grid, [] with another sampler."""
        return list(self.space.points()) if isinstance(self.search.sampler, Grid) else []

    @cached_property
    def directions(self) -> list[str]:
        """Of each objective whether the smallest ("min") or the largest value ("max") is best."""
        monitors = self.typical.task_spec.monitors
        return [monitors.get(name, "min") for name in self.objectives]

    @cached_property
    def longest(self) -> int:
        """The epochs of the longest trial."""
        parameter = self.space.parameters.get("training.epochs")
        ends = parameter.ends() if isinstance(parameter, Range | Choice) else []
        return max([self.typical.training.epochs, *ends])

    def experiment(self, values: Mapping[str, Any], name: str | None = None) -> Experiment:
        """Returns the experiment with the values of a trial.

        Args:
            values: by the key.
            name: of the trial. Default: that of the search.

        Raises:
            ConfigurationError: they do not go together.
        """
        document = with_values(self.base, values, {})
        document.override(("name",), name or self.name, "the search")
        return validate(document, check_source=False)

    def to_yaml(self) -> str:
        """Writes the search with its experiment as the YAML that `load_search` reads back."""
        content = self.search.model_dump(mode="json")
        content["pruner"] = self.pruner.model_dump(mode="json")
        content["trials"] = self.trials
        return dump({**content, "experiment": self.base.content})

    @cached_property
    def typical(self) -> Experiment:
        """A trial whose values go together."""
        for pick in (0, -1):
            try:
                return self.experiment(self.space.draw(picking(pick, {})))
            except ConfigurationError:
                continue
        # The middle of each is as good as any: trials of such a space fail one by one.
        return self.experiment({})


def with_values(base: Document, values: Mapping[str, Any], origins: Mapping[str, str]) -> Document:
    """Returns an experiment's document with values set, sections before what is in them."""
    document = Document(base.name, copy.deepcopy(base.content), dict(base.places))
    for key in sorted(values, key=lambda key: key.count(".")):
        path, value = tuple(key.split(".")), copy.deepcopy(values[key])
        document.override(path, value, origins.get(key, "the search"))
    return document
