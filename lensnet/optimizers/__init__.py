"""Optimizers by the name they have in an experiment file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lensnet.config.optimizers import Muon
from lensnet.config.sections import Section
from lensnet.optimizers.adam import Adam, AdamW
from lensnet.optimizers.ranger import Ranger
from lensnet.optimizers.scaled import SCALED, ScaledAdam, ScaledAdamW
from lensnet.optimizers.schedule_free import ScheduleFreeAdamW

__all__ = ["Adam", "AdamW", "Ranger", "ScaledAdam", "ScaledAdamW", "ScheduleFreeAdamW", "create"]

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adadelta": keras.optimizers.Adadelta,
    "adagrad": keras.optimizers.Adagrad,
    "adamax": keras.optimizers.Adamax,
    "nadam": keras.optimizers.Nadam,
    "adafactor": keras.optimizers.Adafactor,
    "ftrl": keras.optimizers.Ftrl,
    "lion": keras.optimizers.Lion,
    "lamb": keras.optimizers.Lamb,
    "muon": keras.optimizers.Muon,
    "schedule_free_adamw": ScheduleFreeAdamW,
    "ranger": Ranger,
}


def create(
    section: Section,
    learning_rate: Any,
    factors: Mapping[str, float] | None = None,
    undecayed: Sequence[Any] = (),
    gradient_accumulation_steps: int = 1,
) -> keras.optimizers.Optimizer:
    """Makes the optimizer that `training.optimizer` describes.

    Args:
        section: the section.
        learning_rate: a number or a Keras schedule, which stands for the section's own.
        factors: what to multiply the learning rate of a variable by, by the variable's path; 1
            for those that are not in it.
        undecayed: variables that weight decay leaves alone.
        gradient_accumulation_steps: batches whose mean gradient makes one step.

    Example:

    >>> from lensnet.config.sections import AdamW
    >>> create(AdamW(weight_decay=0.01), 1e-3).weight_decay
    0.01
    """
    options = section.model_dump()
    kind = _OPTIMIZERS[options.pop("name")]
    options["learning_rate"] = learning_rate
    options["global_clipnorm"] = options.pop("clip_norm")
    options["clipvalue"] = options.pop("clip_value")
    if gradient_accumulation_steps > 1:
        options["gradient_accumulation_steps"] = gradient_accumulation_steps
    if isinstance(section, Muon):
        options["adam_weight_decay"] = options["weight_decay"]
    made = SCALED[kind](factors=factors, **options) if factors else kind(**options)
    if made.weight_decay:
        made.exclude_from_weight_decay(var_list=list(undecayed))
    elif kind is not AdamW:
        # Not to subtract zeros from every weight at each step; AdamW insists on a number.
        made.weight_decay = None
    return made
