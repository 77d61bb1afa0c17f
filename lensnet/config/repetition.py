"""The keys of `training` that make several runs of one experiment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from lensnet.config.section import Section

__all__ = ["Repetition"]


class Repetition(Section):
    """Several seeds, or the folds of a cross-validation."""

    seeds: list[Annotated[int, Field(ge=0, le=2**31 - 1)]] | None = Field(
        None,
        min_length=1,
        description="Trains a network for each of these seeds, on the same splits, each in a "
        "folder of its own, and sums up the test metrics.",
    )
    folds: int | None = Field(
        None,
        ge=3,
        description="Cross-validation: divides the data into so many folds, each of which is "
        "tested once, by a network that was trained on the others and validated on the next one.",
    )
    fold: int | None = Field(
        None,
        ge=0,
        description="Trains the network of this fold alone, from 0. Default: those of all folds.",
    )

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: list[int] | None) -> list[int] | None:
        if seeds is not None and len(set(seeds)) < len(seeds):
            raise ValueError(f"each seed may stand once; got {seeds}")
        return seeds
