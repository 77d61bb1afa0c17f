"""The sections of `training.loss`: what is made small while a network is trained.

Which losses fit a task is said by the task (`lensnet.tasks`). Unequal classes are weighted by
`data.balance: class_weights`, whatever the loss.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lensnet.config.section import Section

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "GaussianNLL",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
]

_GAMMA = "Focusing: by how much examples that are easy count less; 0 gives the cross-entropy."
_SMOOTHING = "Share of each label that is spread evenly over the classes."


class CategoricalCrossentropy(Section):
    """For `task: classification`."""

    name: Literal["categorical_crossentropy"] = "categorical_crossentropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description=_SMOOTHING)


class BinaryCrossentropy(Section):
    """For `task: binary`."""

    name: Literal["binary_crossentropy"] = "binary_crossentropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description=_SMOOTHING)


class CategoricalFocalCrossentropy(Section):
    """For `task: classification`: the focal loss (Lin et al. 2017)."""

    name: Literal["categorical_focal_crossentropy"] = "categorical_focal_crossentropy"
    gamma: float = Field(2.0, ge=0, description=_GAMMA)
    label_smoothing: float = Field(0.0, ge=0, lt=1, description=_SMOOTHING)


class BinaryFocalCrossentropy(Section):
    """For `task: binary`: the focal loss (Lin et al. 2017)."""

    name: Literal["binary_focal_crossentropy"] = "binary_focal_crossentropy"
    gamma: float = Field(2.0, ge=0, description=_GAMMA)
    alpha: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Weight of the second class; the first has 1 - alpha. Default: both have 1.",
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description=_SMOOTHING)


class MeanSquaredError(Section):
    """For `task: regression`, of targets as `data.target_transform` gives them."""

    name: Literal["mse"] = "mse"


class MeanAbsoluteError(Section):
    """For `task: regression`, of targets as `data.target_transform` gives them."""

    name: Literal["mae"] = "mae"


class Huber(Section):
    """For `task: regression`: quadratic for small errors, linear for large ones (Huber 1964)."""

    name: Literal["huber"] = "huber"
    delta: float = Field(
        1.0,
        gt=0,
        description="The error from which it is linear, in units of the transformed target: of "
        "its standard deviation, unless data.target_transform is none.",
    )


class GaussianNLL(Section):
    """For `task: regression`: the network gives a mean and a variance (Nix & Weigend 1994).

    The negative logarithm of a Gaussian's likelihood. Predictions have a column `sigma`.
    """

    name: Literal["gaussian_nll"] = "gaussian_nll"


Loss = Annotated[
    CategoricalCrossentropy
    | BinaryCrossentropy
    | CategoricalFocalCrossentropy
    | BinaryFocalCrossentropy
    | MeanSquaredError
    | MeanAbsoluteError
    | Huber
    | GaussianNLL,
    Field(discriminator="name"),
]
