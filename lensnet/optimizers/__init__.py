"""Optimizers by the name they have in an experiment file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from lensnet.config.sections import Section

__all__ = ["create"]

_OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
}
# Decaying these pulls a network towards one that normalises differently, not a simpler one.
_NOT_DECAYED = ("bias", "gamma", "beta")


def create(section: Section, learning_rate: Any) -> keras.optimizers.Optimizer:
    """Makes the optimizer that `training.optimizer` describes.

    Args:
        section: the section.
        learning_rate: a number or a Keras schedule, which stands for the section's own.

    Example:

    >>> from lensnet.config.sections import AdamW
    >>> create(AdamW(weight_decay=0.01), 1e-3).weight_decay
    0.01
    """
    options = section.model_dump()
    optimizer = _OPTIMIZERS[options.pop("name")]
    options["learning_rate"] = learning_rate
    options["global_clipnorm"] = options.pop("clip_norm")
    made = optimizer(**options)
    if made.weight_decay:
        made.exclude_from_weight_decay(var_names=list(_NOT_DECAYED))
    return made
