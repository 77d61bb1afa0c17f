"""Optimizers by the name they have in an experiment file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lensnet.config.sections import Section
from lensnet.optimizers.scaled_adam import ScaledAdam, ScaledAdamW

__all__ = ["ScaledAdam", "ScaledAdamW", "create"]

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
}
_SCALED_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": ScaledAdam,
    "adamw": ScaledAdamW,
}


def create(
    section: Section,
    learning_rate: Any,
    factors: Mapping[str, float] | None = None,
    undecayed: Sequence[Any] = (),
) -> keras.optimizers.Optimizer:
    """Makes the optimizer that `training.optimizer` describes.

    Args:
        section: the section.
        learning_rate: a number or a Keras schedule, which stands for the section's own.
        factors: what to multiply the learning rate of a variable by, by the variable's path; 1
            for those that are not in it.
        undecayed: variables that weight decay leaves alone.

    Example:

    >>> from lensnet.config.sections import AdamW
    >>> create(AdamW(weight_decay=0.01), 1e-3).weight_decay
    0.01
    """
    options = section.model_dump()
    name = options.pop("name")
    options["learning_rate"] = learning_rate
    options["global_clipnorm"] = options.pop("clip_norm")
    if factors:
        made = _SCALED_OPTIMIZERS[name](factors=factors, **options)
    else:
        made = _OPTIMIZERS[name](**options)
    if made.weight_decay:
        made.exclude_from_weight_decay(var_list=list(undecayed))
    return made
