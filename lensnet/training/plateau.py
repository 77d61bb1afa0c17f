"""Lowering the learning rate when training no longer gets anywhere."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import keras

from lensnet.best_epoch import BestEpochRule
from lensnet.config.schedules import PlateauSchedule
from lensnet.schedules import Reducible
from lensnet.training.history import to_seven_digits

__all__ = ["PlateauReduction"]

_log = logging.getLogger(__name__)


class PlateauReduction(keras.callbacks.Callback):
    """Does what `keras.callbacks.ReduceLROnPlateau` does, to a rate that also warms up.

    Keras's own sets the rate of the optimizer, which cannot be set where it follows a schedule,
    and forgets what it has seen when a run is resumed.

    Args:
        section: when to reduce, and by how much.
        schedule: whose factor is lowered.
        lower_is_better: whether the smallest monitored value is the best.
    """

    def __init__(self, section: PlateauSchedule, schedule: Reducible, lower_is_better: bool):
        super().__init__()
        self.section = section
        self.schedule = schedule
        self.rule = BestEpochRule(section.monitor, lower_is_better, section.min_delta)
        self.best: float | None = None
        self.epochs_waited = 0
        self.epochs_to_rest = 0

    @property
    def variables(self) -> Sequence[Any]:
        """What a checkpoint keeps of it beside its state."""
        return [self.schedule.factor]

    def state(self) -> dict[str, Any]:
        """Returns what it has seen, as plain values."""
        return {
            "best": self.best,
            "epochs_waited": self.epochs_waited,
            "epochs_to_rest": self.epochs_to_rest,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.best = state["best"]
        self.epochs_waited = state["epochs_waited"]
        self.epochs_to_rest = state["epochs_to_rest"]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        value = to_seven_digits((logs or {})[self.section.monitor])
        if self.epochs_to_rest:
            self.epochs_to_rest -= 1
            self.epochs_waited = 0
        if self.rule.improves(value, self.best):
            self.best, self.epochs_waited = value, 0
        elif not self.epochs_to_rest:
            self.epochs_waited += 1
            if self.epochs_waited >= self.section.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        before = float(keras.ops.convert_to_numpy(self.schedule.factor))
        factor = max(before * self.section.factor, self.section.minimum_fraction)
        if factor >= before:
            return
        self.schedule.factor.assign(factor)
        self.epochs_to_rest, self.epochs_waited = self.section.cooldown, 0
        _log.info(
            "Epoch %d: %s no longer improves; the learning rate goes down to %.3g.",
            epoch + 1,
            self.section.monitor,
            self.schedule.learning_rate * factor,
        )
