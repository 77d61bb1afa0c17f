"""The sections of `training.weight_averaging`: which mean of the weights is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lensnet.config.section import Section

__all__ = ["ExponentialAverage", "StochasticAverage", "WeightAverage"]


class ExponentialAverage(Section):
    """An exponential moving average over the steps (Polyak & Juditsky 1992)."""

    name: Literal["ema"] = "ema"
    decay: float = Field(
        0.999,
        gt=0,
        lt=1,
        description="Share of the average that a step leaves. After n steps it is at most "
        "(1 + n) / (10 + n), so that a short training is not held back by its beginning.",
    )


class StochasticAverage(Section):
    """The mean of the weights at the ends of epochs (SWA; Izmailov et al. 2018).

    It wants a learning rate that stays high, or is cyclic.
    """

    name: Literal["swa"] = "swa"
    start_epoch: int | None = Field(
        None,
        ge=1,
        description="The first epoch whose end counts. Default: that after three quarters.",
    )

    def first_epoch(self, epochs: int) -> int:
        """Returns the first epoch whose end counts, from 1.

        Args:
            epochs: of the whole training.
        """
        return self.start_epoch or min(epochs * 3 // 4 + 1, epochs)


WeightAverage = Annotated[ExponentialAverage | StochasticAverage, Field(discriminator="name")]
