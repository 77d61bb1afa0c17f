"""Optimizers whose learning rate is another for some variables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from lensnet.optimizers.adam import Adam, AdamW
from lensnet.optimizers.ranger import Ranger
from lensnet.optimizers.schedule_free import ScheduleFreeAdamW

__all__ = ["SCALED", "ScaledAdam", "ScaledAdamW"]

# Muon's decay of what it leaves to AdamW has a name of its own.
_DECAYS = ("weight_decay", "adam_weight_decay")


class _ScaledUpdates:
    """Steps, and decays, each variable by its own share of the learning rate.

    Variables of one factor are updated together, as Keras updates all of them; whatever the
    backend or the distribution strategy does in an update, it does in each.
    """

    factors: dict[str, float]

    def __init__(self, factors: Mapping[str, float], **kwargs: Any):
        super().__init__(**kwargs)
        self.factors = dict(factors)

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
        whole = {name: getattr(self, name, None) for name in _DECAYS}
        if not any(whole.values()):
            return
        for factor, group in self._by_factor(variables, lambda variable: variable).items():
            # Keras takes the learning rate from the optimizer here, so that the factor goes in
            # with what it is multiplied by.
            for name, decay in whole.items():
                if decay:
                    setattr(self, name, decay * factor)
            super()._apply_weight_decay(group)  # type: ignore[misc]
        for name, decay in whole.items():
            if decay:
                setattr(self, name, decay)

    def _by_factor(
        self, items: Iterable[Any], variable_of: Callable[[Any], Any]
    ) -> dict[float, list[Any]]:
        groups: dict[float, list[Any]] = defaultdict(list)
        for item in items:
            groups[self.factors.get(variable_of(item).path, 1.0)].append(item)
        return groups

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factors": self.factors}  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="lensnet")
class ScaledAdam(_ScaledUpdates, Adam):
    """Adam (Kingma & Ba 2015) with a factor on the learning rate of each variable.

    Args:
        factors: by the path of a variable; 1 for those that are not in it.
        kwargs: see `keras.optimizers.Adam`.

    Example:

    >>> optimizer = ScaledAdam({"dense/kernel": 0.1}, learning_rate=1e-3)
    >>> ScaledAdam.from_config(optimizer.get_config()).factors
    {'dense/kernel': 0.1}
    """


@keras.saving.register_keras_serializable(package="lensnet")
class ScaledAdamW(_ScaledUpdates, AdamW):
    """AdamW (Loshchilov & Hutter 2019) with a factor on the learning rate of each variable.

    The decay of a variable is multiplied by its factor as well, for it goes with the learning
    rate.

    Args:
        factors: by the path of a variable; 1 for those that are not in it.
        kwargs: see `keras.optimizers.AdamW`.

    Example:

    >>> ScaledAdamW({"dense/kernel": 0.1}, weight_decay=0.01).weight_decay
    0.01
    """


def _scaled(base: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """Makes and registers the class that is to another optimizer what ScaledAdam is to Adam."""
    members = {
        "__doc__": f"{base.__name__} with a factor on the learning rate of each variable.",
        "__module__": __name__,
    }
    made = type(f"Scaled{base.__name__}", (_ScaledUpdates, base), members)
    registered: type[keras.optimizers.Optimizer] = keras.saving.register_keras_serializable(
        package="lensnet"
    )(made)
    return registered


SCALED: dict[type[keras.optimizers.Optimizer], type[keras.optimizers.Optimizer]] = {
    Adam: ScaledAdam,
    AdamW: ScaledAdamW,
    **{
        base: _scaled(base)
        for base in (
            keras.optimizers.SGD,
            keras.optimizers.RMSprop,
            keras.optimizers.Adadelta,
            keras.optimizers.Adagrad,
            keras.optimizers.Adamax,
            keras.optimizers.Nadam,
            keras.optimizers.Adafactor,
            keras.optimizers.Ftrl,
            keras.optimizers.Lion,
            keras.optimizers.Lamb,
            keras.optimizers.Muon,
            ScheduleFreeAdamW,
            Ranger,
        )
    },
}
"""For each optimizer, the one with factors."""
