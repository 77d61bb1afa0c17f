"""The file of a search: which keys of an experiment are tried, how, and by which measure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lensnet.config.section import Section

__all__ = [
    "COSTS",
    "CmaEs",
    "Grid",
    "Hyperband",
    "MedianRule",
    "NoPruner",
    "Nsga2",
    "Pruner",
    "Random",
    "Sampler",
    "Search",
    "Tpe",
]

COSTS = ("parameters", "multiply_adds")
"""Objectives that a network has before it is trained; the smallest is best."""


# --- how values are drawn -------------------------------------------------------------------------


class Tpe(Section):
    """Tree-structured Parzen estimator (Bergstra et al. 2011)."""

    name: Literal["tpe"] = "tpe"
    startup_trials: int = Field(10, ge=1, description="Trials drawn at random at first.")


class CmaEs(Section):
    """Covariance matrix adaptation (Hansen 2016). Choices are drawn at random beside it."""

    name: Literal["cma_es"] = "cma_es"
    startup_trials: int = Field(1, ge=1, description="Trials drawn at random at first.")
    population_size: int | None = Field(
        None, ge=2, description="Trials of a generation. Default: 4 + 3 ln(parameters)."
    )


class Nsga2(Section):
    """Non-dominated sorting genetic algorithm (Deb et al. 2002), for several objectives."""

    name: Literal["nsga2"] = "nsga2"
    population_size: int = Field(
        20, ge=2, description="Trials of a generation; the first is drawn at random."
    )


class Random(Section):
    """Each value by itself (Bergstra & Bengio 2012)."""

    name: Literal["random"] = "random"


class Grid(Section):
    """Each combination once, in order. A range needs whole numbers or a step."""

    name: Literal["grid"] = "grid"


Sampler = Annotated[Tpe | CmaEs | Nsga2 | Random | Grid, Field(discriminator="name")]


# --- which trials are stopped ---------------------------------------------------------------------


class NoPruner(Section):
    """Every trial is trained to its end."""

    name: Literal["none"] = "none"


class MedianRule(Section):
    """A trial ends whose best value so far is worse than the median of the others' at its epoch."""

    name: Literal["median"] = "median"
    startup_trials: int = Field(5, ge=1, description="Trials that must have ended before any is.")
    warmup_epochs: int = Field(0, ge=0, description="Epochs that every trial is given.")


class Hyperband(Section):
    """Successive halving at several rates at a time (Li et al. 2018)."""

    name: Literal["hyperband"] = "hyperband"
    min_epochs: int = Field(1, ge=1, description="Epochs that every trial is given.")
    reduction_factor: int = Field(3, ge=2, description="Of so many trials one is gone on with.")


Pruner = Annotated[NoPruner | MedianRule | Hyperband, Field(discriminator="name")]


# --- the file -------------------------------------------------------------------------------------


class Search(Section):
    """What `lensnet search SEARCH.yaml` reads."""

    name: str = Field(
        pattern=r"^[\w.+-]+$", description="Also the search folder's name in searches/."
    )
    experiment: str | dict[str, Any] = Field(
        description="An experiment file, from the folder of this one on; or an experiment."
    )
    objective: list[str] = Field(
        min_length=1,
        max_length=3,
        description="A column of history.csv that can choose the best epoch, such as val_auc, or "
        "parameters or multiply_adds of the network; or up to three of these.",
    )
    trials: int | None = Field(
        None,
        ge=1,
        description="How many are begun, by all processes together. Default: 40; of a grid, all "
        "its points.",
    )
    sampler: Sampler = Field(default_factory=Tpe)
    pruner: Pruner | None = Field(
        None, description="Default: median; with several objectives none, which is all there is."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of what is drawn.")
    storage: str | None = Field(
        None,
        description="The database's URL, such as postgresql://user@host/database. Default: a file "
        "of SQLite in the search folder.",
    )
    parameters: dict[str, Any] = Field(
        min_length=1, description="What is tried for which key of the experiment."
    )

    @model_validator(mode="before")
    @classmethod
    def _names_alone(cls, raw: Any) -> Any:
        """Lets `sampler: tpe` stand for `sampler: {name: tpe}`, and one objective for a list."""
        if not isinstance(raw, dict):
            return raw
        named: dict[str, Any] = {
            key: {"name": raw[key]}
            for key in ("sampler", "pruner")
            if isinstance(raw.get(key), str)
        }
        if isinstance(raw.get("objective"), str):
            named["objective"] = [raw["objective"]]
        return {**raw, **named}

    @field_validator("objective")
    @classmethod
    def _each_once(cls, names: list[str]) -> list[str]:
        if len(set(names)) < len(names):
            raise ValueError(f"each objective may stand once; got {names}")
        return names
