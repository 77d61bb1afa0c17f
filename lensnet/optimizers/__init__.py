"""Optimizers by the name they have in an experiment file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from lensnet.config.sections import Section

__all__ = ["create"]

_OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
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
    optimizer = _OPTIMIZERS[options.pop("name")]
    options["learning_rate"] = learning_rate
    options["global_clipnorm"] = options.pop("clip_norm")
    if factors:
        optimizer = type(optimizer.__name__, (_FactorByVariable, optimizer), {})
    made = optimizer(**options)
    if factors:
        made.factors = dict(factors)
    if made.weight_decay:
        made.exclude_from_weight_decay(var_list=list(undecayed))
    return made


class _FactorByVariable:
    """Makes an optimizer that steps, and decays, each variable by its own share of the rate.

    Variables of one factor are updated together, as Keras updates all of them; whatever the
    backend or the distribution strategy does in an update, it does in each.
    """

    factors: dict[str, float]
    weight_decay: Any

    def _backend_update_step(
        self, grads: Iterable[Any], trainable_variables: Iterable[Any], learning_rate: Any
    ) -> None:
        pairs = zip(grads, trainable_variables, strict=True)
        for factor, group in self._by_factor(pairs, lambda pair: pair[1]).items():
            some_grads, variables = zip(*group, strict=True)
            super()._backend_update_step(  # type: ignore[misc]
                list(some_grads), list(variables), learning_rate * factor
            )

    def _apply_weight_decay(self, variables: Iterable[Any]) -> None:
        whole = self.weight_decay
        if not whole:
            return
        for factor, group in self._by_factor(variables, lambda variable: variable).items():
            # Keras takes the learning rate from the optimizer here, so that the factor goes in
            # with what it is multiplied by.
            self.weight_decay = whole * factor
            super()._apply_weight_decay(group)  # type: ignore[misc]
        self.weight_decay = whole

    def _by_factor(self, items: Iterable[Any], variable_of: Any) -> dict[float, list[Any]]:
        groups: dict[float, list[Any]] = defaultdict(list)
        for item in items:
            groups[self.factors.get(variable_of(item).path, 1.0)].append(item)
        return groups
