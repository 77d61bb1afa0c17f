"""The sections of `training.optimizer`: Keras's optimizers by name, and Ranger.

Keys and defaults are Keras's (`lensnet.optimizers`), but for `clip_norm` and `clip_value`, which
every one takes, and `weight_decay`, which is decoupled in every one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lensnet.config.section import Section

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "ClippedOptimizer",
    "DecayingOptimizer",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "Ranger",
    "ScheduleFreeAdamW",
]

_Rate = Annotated[float, Field(ge=0, lt=1)]
_Positive = Annotated[float, Field(gt=0)]
_NotNegative = Annotated[float, Field(ge=0)]

# What several optimizers have, each with a default of its own.
_LearningRate = Annotated[
    _Positive, Field(description="The largest; training.schedule says how it changes.")
]
_WeightDecay = Annotated[
    _NotNegative,
    Field(description="Applied to kernels, never to biases, normalisation or scales."),
]
_GradientDecay = Annotated[_Rate, Field(description="Decay of the moving mean of the gradient.")]
_SquareDecay = Annotated[_Rate, Field(description="Decay of the moving mean of its square.")]
_OnlySquareDecay = Annotated[
    _Rate, Field(description="Decay of the moving mean of the gradient's square.")
]
_Momentum = Annotated[_Rate, Field(description="Decay of the sum of past gradients; 0 for none.")]
_Nesterov = Annotated[bool, Field(description="Nesterov's form of the momentum.")]
_Epsilon = Annotated[
    _Positive, Field(description="Added to the denominator, against division by zero.")
]
_FirstSum = Annotated[_NotNegative, Field(description="Where the sum of squared gradients begins.")]


class ClippedOptimizer(Section):
    """What every optimizer has: a learning rate, and a bound on the gradient."""

    learning_rate: _LearningRate = 1e-3
    clip_norm: float | None = Field(
        None, gt=0, description="Bound on the norm of the whole gradient."
    )
    clip_value: float | None = Field(
        None, gt=0, description="Bound on each number of the gradient, instead."
    )

    @model_validator(mode="after")
    def _one_bound(self) -> ClippedOptimizer:
        if self.clip_norm is not None and self.clip_value is not None:
            raise ValueError("set clip_norm or clip_value, not both")
        return self


class DecayingOptimizer(ClippedOptimizer):
    """An optimizer with decoupled weight decay."""

    weight_decay: _WeightDecay = 0.0


class _MomentsOptimizer(DecayingOptimizer):
    """One with moving means of the gradient and of its size, and the defaults of Adam."""

    beta_1: _GradientDecay = 0.9
    beta_2: _SquareDecay = 0.999
    epsilon: _Epsilon = 1e-7


class Adam(ClippedOptimizer):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"
    beta_1: _GradientDecay = 0.9
    beta_2: _SquareDecay = 0.999
    epsilon: _Epsilon = 1e-7
    amsgrad: bool = Field(
        False, description="Divides by the largest mean square so far (Reddi et al. 2018)."
    )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    weight_decay: _WeightDecay = 1e-4


class SGD(DecayingOptimizer):
    """Gradient descent, with momentum (Polyak 1964) or Nesterov's."""

    name: Literal["sgd"] = "sgd"
    learning_rate: _LearningRate = 0.01
    momentum: _Momentum = 0.0
    nesterov: _Nesterov = False


class RMSprop(DecayingOptimizer):
    """RMSprop (Hinton 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    rho: _OnlySquareDecay = 0.9
    momentum: _Momentum = 0.0
    epsilon: _Epsilon = 1e-7
    centered: bool = Field(
        False, description="Divides by the gradient's variance in place of its mean square."
    )


class Adadelta(DecayingOptimizer):
    """Adadelta (Zeiler 2012). The paper's learning rate is 1."""

    name: Literal["adadelta"] = "adadelta"
    rho: _OnlySquareDecay = 0.95
    epsilon: _Epsilon = 1e-7


class Adagrad(DecayingOptimizer):
    """Adagrad (Duchi et al. 2011)."""

    name: Literal["adagrad"] = "adagrad"
    initial_accumulator_value: _FirstSum = 0.1
    epsilon: _Epsilon = 1e-7


class Adamax(_MomentsOptimizer):
    """Adam with the maximum norm (Kingma & Ba 2015, section 7)."""

    name: Literal["adamax"] = "adamax"


class Nadam(_MomentsOptimizer):
    """Adam with Nesterov's momentum (Dozat 2015)."""

    name: Literal["nadam"] = "nadam"


class Adafactor(DecayingOptimizer):
    """Adafactor (Shazeer & Stern 2018), whose steps are in proportion to the weights."""

    name: Literal["adafactor"] = "adafactor"
    beta_2_decay: float = Field(
        -0.8,
        lt=0,
        description="Exponent: the decay of the mean square is 1 - step ** beta_2_decay.",
    )
    epsilon_1: _Positive = Field(1e-30, description="Added to squared gradients.")
    epsilon_2: _Positive = Field(
        1e-3, description="Smallest root mean square of a weight, in proportion to which steps are."
    )
    clip_threshold: _Positive = Field(1.0, description="Bound on the root mean square of a step.")


class Ftrl(ClippedOptimizer):
    """Follow the regularised leader (McMahan et al. 2013)."""

    name: Literal["ftrl"] = "ftrl"
    learning_rate_power: float = Field(
        -0.5,
        le=0,
        description="Exponent by which the rate falls with the sum of squared gradients.",
    )
    initial_accumulator_value: _FirstSum = 0.1
    l1_regularization_strength: _NotNegative = Field(
        0.0, description="Factor of the weights' absolute values."
    )
    l2_regularization_strength: _NotNegative = Field(0.0, description="Factor of their squares.")
    l2_shrinkage_regularization_strength: _NotNegative = Field(
        0.0, description="Factor of their squares, in the gradient alone."
    )
    beta: _NotNegative = Field(
        0.0, description="Added to the root of the sum of squared gradients."
    )


class Lion(DecayingOptimizer):
    """Lion (Chen et al. 2023). Its learning rate is three to ten times smaller than AdamW's."""

    name: Literal["lion"] = "lion"
    learning_rate: _LearningRate = 1e-4
    beta_1: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Share of the moving mean of the gradient in a step; the rest is the "
        "gradient's own.",
    )
    beta_2: float = Field(0.99, gt=0, le=1, description="Decay of that mean.")


class Lamb(_MomentsOptimizer):
    """LAMB, for large batches (You et al. 2020)."""

    name: Literal["lamb"] = "lamb"


class Muon(DecayingOptimizer):
    """Muon (Jordan et al. 2024) for dense kernels; AdamW for all else, convolutions too."""

    name: Literal["muon"] = "muon"
    momentum: _Momentum = 0.95
    nesterov: _Nesterov = True
    ns_steps: int = Field(5, ge=1, description="Newton-Schulz iterations.")
    rms_rate: float | None = Field(
        0.2,
        gt=0,
        description="Root mean square of a step, in units of the learning rate. null: as the "
        "iterations leave it.",
    )
    adam_beta_1: _Rate = Field(0.9, description="beta_1 of the AdamW.")
    adam_beta_2: _Rate = Field(0.999, description="beta_2 of the AdamW.")
    adam_lr_ratio: _Positive = Field(
        1.0, description="Learning rate of the AdamW, in units of this one's."
    )
    epsilon: _Epsilon = 1e-7


class ScheduleFreeAdamW(DecayingOptimizer):
    """AdamW that needs no schedule (Defazio et al. 2024): take `schedule: {name: constant}`."""

    name: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    learning_rate: _LearningRate = 2.5e-3
    beta_1: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="Where the gradient is taken: from the newest weights, 0, to their mean, 1.",
    )
    beta_2: _SquareDecay = 0.999
    epsilon: _Epsilon = 1e-8


class Ranger(_MomentsOptimizer):
    """Rectified Adam (Liu et al. 2020) inside Lookahead (Zhang et al. 2019)."""

    name: Literal["ranger"] = "ranger"
    sync_period: int = Field(6, ge=1, description="Steps between those of the slow weights.")
    slow_step_size: float = Field(
        0.5, gt=0, le=1, description="Share of the way that the slow weights go."
    )


Optimizer = Annotated[
    Adam
    | AdamW
    | SGD
    | RMSprop
    | Adadelta
    | Adagrad
    | Adamax
    | Nadam
    | Adafactor
    | Ftrl
    | Lion
    | Lamb
    | Muon
    | ScheduleFreeAdamW
    | Ranger,
    Field(discriminator="name"),
]
