"""The sections of `training.schedule`: how the learning rate changes while a network is trained.

All lengths are in epochs, and all rates are shares of `training.optimizer.learning_rate`, which is
the largest that a schedule reaches.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator

from lensnet.config.section import Section

__all__ = [
    "ConstantSchedule",
    "CosineRestartsSchedule",
    "CosineSchedule",
    "CyclicSchedule",
    "ExponentialSchedule",
    "OneCycleSchedule",
    "PlateauSchedule",
    "Schedule",
    "StepSchedule",
]

# Below the smallest normal number of single precision, arithmetic gives zero.
_SMALLEST = 2.0**-126


class WarmedUp(Section):
    """What every schedule has: a linear warm-up before it."""

    warmup_epochs: float = Field(
        0,
        ge=0,
        description="The rate rises linearly over so many epochs to where the schedule begins, "
        "which then has the rest of the training.",
    )

    def zero_after(self, learning_rate: float, epochs: int) -> float | None:
        """Returns after how many epochs nothing is left to learn with; None where that never is.

        Args:
            learning_rate: of the optimizer.
            epochs: of the whole training.
        """
        return None


class ConstantSchedule(WarmedUp):
    """The same learning rate throughout."""

    name: Literal["constant"] = "constant"


class ExponentialSchedule(WarmedUp):
    """The rate is multiplied by `decay_rate` every `decay_epochs`, continuously."""

    name: Literal["exponential"] = "exponential"
    decay_rate: float = Field(0.95, gt=0, le=1, description="The factor.")
    decay_epochs: float = Field(1.0, gt=0, description="Epochs in which it is reached.")

    def zero_after(self, learning_rate: float, epochs: int) -> float | None:
        if self.decay_rate == 1:
            return None
        times = math.log(_SMALLEST / learning_rate) / math.log(self.decay_rate)
        end = self.warmup_epochs + self.decay_epochs * times
        return end if end < epochs else None


class StepSchedule(WarmedUp):
    """The rate is multiplied by `decay_rate` at once, every so many epochs or at given ones."""

    name: Literal["step"] = "step"
    decay_rate: float = Field(0.1, gt=0, le=1, description="The factor.")
    decay_epochs: float | list[float] = Field(
        30.0, description="Every so many epochs; or a list of the epochs, such as [30, 60, 80]."
    )

    @field_validator("decay_epochs")
    @classmethod
    def _ascending(cls, epochs: float | list[float]) -> float | list[float]:
        several = epochs if isinstance(epochs, list) else [epochs]
        if not several or min(several) <= 0 or sorted(set(several)) != several:
            raise ValueError(
                f"decay_epochs is above 0, or a list of ascending epochs above 0; got {epochs}"
            )
        return epochs

    def zero_after(self, learning_rate: float, epochs: int) -> float | None:
        if self.decay_rate == 1:
            return None
        times = math.ceil(math.log(_SMALLEST / learning_rate) / math.log(self.decay_rate))
        if isinstance(self.decay_epochs, list):
            end = self.decay_epochs[times - 1] if times <= len(self.decay_epochs) else math.inf
        else:
            end = times * self.decay_epochs
        return self.warmup_epochs + end if self.warmup_epochs + end < epochs else None


class CosineSchedule(WarmedUp):
    """Half a cosine down to `final_fraction` of the learning rate (Loshchilov & Hutter 2017)."""

    name: Literal["cosine"] = "cosine"
    final_fraction: float = Field(
        0.0, ge=0, le=1, description="Where it ends, in units of the learning rate."
    )
    decay_epochs: float | None = Field(
        None,
        gt=0,
        description="Epochs from the end of the warm-up to the final rate, which then stays. "
        "Default: all that are left.",
    )

    def zero_after(self, learning_rate: float, epochs: int) -> float | None:
        if self.decay_epochs is None or self.final_fraction > 0:
            return None
        end = self.warmup_epochs + self.decay_epochs
        return end if end < epochs else None


class CosineRestartsSchedule(WarmedUp):
    """Cosines one after the other, each longer than the last (SGDR; Loshchilov & Hutter 2017)."""

    name: Literal["cosine_restarts"] = "cosine_restarts"
    cycle_epochs: float = Field(10.0, gt=0, description="Length of the first cosine.")
    cycle_factor: float = Field(2.0, ge=1, description="How much longer each cosine is.")
    peak_factor: float = Field(1.0, gt=0, le=1, description="How much lower each one begins.")
    final_fraction: float = Field(
        0.0, ge=0, lt=1, description="Of the learning rate: where each cosine ends."
    )


class OneCycleSchedule(WarmedUp):
    """Up to the learning rate and down to nearly nothing (Smith & Topin 2018)."""

    name: Literal["one_cycle"] = "one_cycle"
    rise_fraction: float = Field(0.3, gt=0, lt=1, description="Share of the training that rises.")
    initial_fraction: float = Field(0.04, gt=0, le=1, description="Where it begins.")
    final_fraction: float = Field(4e-6, ge=0, le=1, description="Where it ends.")
    shape: Literal["cosine", "linear"] = Field("cosine", description="Of rise and fall.")


class CyclicSchedule(WarmedUp):
    """Up and down in straight lines, again and again (Smith 2017, arXiv:1506.01186)."""

    name: Literal["cyclic"] = "cyclic"
    mode: Literal["triangular", "triangular2"] = Field(
        "triangular", description="triangular2: each cycle reaches half as high above the lowest."
    )
    cycle_epochs: float = Field(8.0, gt=0, description="Length of a cycle, up and down.")
    minimum_fraction: float = Field(0.1, gt=0, le=1, description="Where each cycle begins.")


class PlateauSchedule(WarmedUp):
    """The rate is multiplied by `factor` whenever the monitored value has stopped improving."""

    name: Literal["reduce_on_plateau"] = "reduce_on_plateau"
    monitor: str = Field("val_loss", description="A column of history.csv.")
    factor: float = Field(0.1, gt=0, lt=1, description="What the rate is multiplied by.")
    patience: int = Field(3, ge=1, description="Epochs without improvement before that.")
    min_delta: float = Field(1e-4, ge=0, description="What counts as improvement is above it.")
    cooldown: int = Field(0, ge=0, description="Epochs after that in which none are counted.")
    minimum_fraction: float = Field(0.0, ge=0, le=1, description="The rate goes no lower.")


Schedule = Annotated[
    ConstantSchedule
    | ExponentialSchedule
    | StepSchedule
    | CosineSchedule
    | CosineRestartsSchedule
    | OneCycleSchedule
    | CyclicSchedule
    | PlateauSchedule,
    Field(discriminator="name"),
]
