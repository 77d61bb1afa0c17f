"""What experiments/small/*/study.yaml says: a question, its axes, and the rows that it is made of.

A row is a recipe, an experiment file, and what `--set` changes of it: the value that each axis has
in the row stands for some keys. So every row is run by `lensnet fit` as well.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["ROOT", "STUDIES", "Committees", "Recovered", "Row", "Study", "Table", "studies"]

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "experiments" / "small"

QUESTIONS = (
    "symmetry",
    "committees",
    "initialisation",
    "architectures",
    "mass",
    "imbalance",
    "rotated_mnist",
    "shift",
)
"""The folders, in the order of the page."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Recovered(_Section):
    """Real lenses to be scored.

    Args:
        files: what `--files` calls the folder that holds them.
        threshold_from: the test whose class 0 decides the threshold.
        false_positive_rate: the share of these that it lets through.
    """

    files: str
    threshold_from: str
    false_positive_rate: float = Field(gt=0, lt=1)


class Table(_Section):
    """Rows of one recipe.

    Args:
        recipe: an experiment file, from the study's folder on.
        runner: `fit`, or `invariance` for the networks of benchmarks/invariance.py.
        values: what stands in axes for `{name}`, by name.
        files: what `--files` calls the user's files that the recipe needs.
        tests: names of files in experiments/small/tests, on which each run is measured.
        judged_by: the one that counts, or `test` for the run's own test split.
        keep_scores: whether the scores on it are kept, for committees.
        recovered: real lenses.
        seeds: of each row, unless others are asked for.
        rows: products of the axes' values, the most telling first.
        smoke: what `--set` says besides for a tiny version.
    """

    recipe: str | None = None
    runner: str = "fit"
    values: dict[str, int] = Field(default_factory=dict)
    files: str | None = None
    tests: list[str] = Field(default_factory=list)
    judged_by: str = "test"
    keep_scores: bool = False
    recovered: Recovered | None = None
    seeds: list[int] = [0, 1, 2]
    rows: list[dict[str, list[str]]]
    smoke: list[str]

    @field_validator("rows", mode="before")
    @classmethod
    def _names_are_text(cls, rows: Any) -> Any:
        return [{axis: [str(value) for value in row[axis]] for axis in row} for row in rows]


class Committees(_Section):
    """Committees of the runs of a table.

    Args:
        table: whose runs they are; what its first axis says is the kind of a network.
        sizes: how many networks a committee has.
    """

    table: str
    sizes: list[int]


class Study(_Section):
    """A question and the rows that answer it.

    Args:
        name: its folder's.
        question: in one line.
        asks: what is compared, in some.
        axes: for each, the keys that its values stand for.
        tables: by name.
        committees: what is made of the runs of one of them.
    """

    name: str
    question: str
    asks: str
    axes: dict[str, dict[str, list[str]]]
    tables: dict[str, Table]
    committees: Committees | None = None

    @field_validator("axes", mode="before")
    @classmethod
    def _names_are_text(cls, axes: Any) -> Any:
        return {axis: {str(name): keys for name, keys in axes[axis].items()} for axis in axes}

    @classmethod
    def load(cls, name: str) -> Study:
        """Reads the study of that folder."""
        content = yaml.safe_load((STUDIES / name / "study.yaml").read_text(encoding="utf-8"))
        return cls.model_validate({"name": name, **content})

    def rows(self, smoke: bool = False) -> list[Row]:
        """The rows, each once, in the order in which they are to be run.

        Args:
            smoke: a tiny version of the first of each table alone.
        """
        found: dict[str, Row] = {}
        for name, table in self.tables.items():
            for row in self._rows_of(name, table):
                found.setdefault(row.name, row)
                if smoke:
                    break
        return list(found.values())

    def _rows_of(self, name: str, table: Table) -> Iterator[Row]:
        for rank, product in enumerate(table.rows):
            for chosen in itertools.product(*product.values()):
                at = dict(zip(product, chosen, strict=True))
                # In the axes' order, whatever the order in which a product names them.
                values = {axis: at[axis] for axis in self.axes if axis in at}
                yield Row(self, name, values, rank)


@dataclass(frozen=True)
class Row:
    """One row of a study.

    Args:
        study: that it is of.
        table_name: which of its tables.
        values: of the axes.
        rank: of the product that it is of: rows of 0 come first.
    """

    study: Study
    table_name: str
    values: dict[str, str]
    rank: int

    @property
    def table(self) -> Table:
        return self.study.tables[self.table_name]

    @property
    def name(self) -> str:
        """Table and values, between slashes."""
        return "/".join([self.table_name, *self.values.values()])

    @property
    def recipe(self) -> Path | None:
        """The experiment file."""
        if self.table.recipe is None:
            return None
        return (STUDIES / self.study.name / self.table.recipe).resolve()

    @property
    def overrides(self) -> list[str]:
        """What `--set` says of the recipe."""
        keys = [key for axis in self.values for key in self.study.axes[axis][self.values[axis]]]
        for name, value in self.table.values.items():
            keys = [key.replace(f"{{{name}}}", str(value)) for key in keys]
        return keys

    def settings(self, seed: int | None = None) -> list[str]:
        """The overrides with a name of the row's own, for its run folder, and a seed."""
        name = "-".join([self.study.name, *self.name.split("/")])
        if seed is None:
            return [f"name={name}", *self.overrides]
        return [f"name={name}-{seed}", *self.overrides, f"seed={seed}"]

    def command(self, seed: int | None = None) -> str:
        """How `lensnet fit` runs it, from the repository's root on."""
        if self.recipe is None:
            return f"python benchmarks/small_studies.py --work DIR --only {self.study.name}"
        sets = [word for key in self.settings(seed) for word in ("--set", key)]
        return shlex.join(["lensnet", "fit", str(self.recipe.relative_to(ROOT)), *sets])


def studies() -> list[Study]:
    """All studies, in the order of the page."""
    return [Study.load(name) for name in QUESTIONS]
