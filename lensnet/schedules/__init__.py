"""Learning-rate schedules by the name they have in an experiment file.

What Keras has is Keras's; the others are registered with it, so that a saved optimizer brings its
schedule back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from lensnet.config import schedules as sections
from lensnet.schedules.cosine_restarts import CosineRestarts
from lensnet.schedules.cyclic import Cyclic
from lensnet.schedules.one_cycle import OneCycle
from lensnet.schedules.plateau import Reducible
from lensnet.schedules.warm_up import WarmUp

__all__ = ["CosineRestarts", "Cyclic", "OneCycle", "Reducible", "WarmUp", "create"]


def create(
    section: sections.WarmedUp,
    learning_rate: float,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Makes the schedule that `training.schedule` describes, a function of the number of batches.

    Args:
        section: the section.
        learning_rate: the largest, which a warm-up reaches.
        epochs: of the whole training.
        steps_per_epoch: batches in an epoch.

    Example:

    >>> section = sections.CosineSchedule(warmup_epochs=1)
    >>> schedule = create(section, 0.1, epochs=10, steps_per_epoch=5)
    >>> [round(float(schedule(step)), 3) for step in (0, 5, 50)]
    [0.02, 0.1, 0.0]
    """
    warmup_steps = round(section.warmup_epochs * steps_per_epoch)
    left = max(epochs * steps_per_epoch - warmup_steps, 1)
    make = _FAMILIES[type(section)]
    return WarmUp(make(section, learning_rate, steps_per_epoch, left), warmup_steps)


def _constant(section: sections.ConstantSchedule, rate: float, epoch: int, left: int) -> float:
    return rate


def _exponential(section: sections.ExponentialSchedule, rate: float, epoch: int, left: int) -> Any:
    return keras.optimizers.schedules.ExponentialDecay(
        rate, decay_steps=section.decay_epochs * epoch, decay_rate=section.decay_rate
    )


def _step(section: sections.StepSchedule, rate: float, epoch: int, left: int) -> Any:
    if not isinstance(section.decay_epochs, list):
        return keras.optimizers.schedules.ExponentialDecay(
            rate,
            decay_steps=max(round(section.decay_epochs * epoch), 1),
            decay_rate=section.decay_rate,
            staircase=True,
        )
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        # Keras's boundaries are the last steps of their pieces.
        [round(at * epoch) - 1 for at in section.decay_epochs],
        [rate * section.decay_rate**times for times in range(len(section.decay_epochs) + 1)],
    )


def _cosine(section: sections.CosineSchedule, rate: float, epoch: int, left: int) -> Any:
    steps = left if section.decay_epochs is None else max(round(section.decay_epochs * epoch), 1)
    return keras.optimizers.schedules.CosineDecay(rate, steps, alpha=section.final_fraction)


def _cosine_restarts(
    section: sections.CosineRestartsSchedule, rate: float, epoch: int, left: int
) -> Any:
    return CosineRestarts(
        rate,
        max(section.cycle_epochs * epoch, 1.0),
        section.cycle_factor,
        section.peak_factor,
        section.final_fraction,
    )


def _one_cycle(section: sections.OneCycleSchedule, rate: float, epoch: int, left: int) -> Any:
    return OneCycle(
        rate,
        left,
        section.rise_fraction,
        section.initial_fraction,
        section.final_fraction,
        section.shape,
    )


def _cyclic(section: sections.CyclicSchedule, rate: float, epoch: int, left: int) -> Any:
    # A cycle of less than two steps has no top.
    steps = max(section.cycle_epochs * epoch, 2.0)
    return Cyclic(rate, steps, section.mode, section.minimum_fraction)


def _plateau(section: sections.PlateauSchedule, rate: float, epoch: int, left: int) -> Any:
    return Reducible(rate)


# From the section, the largest rate, the steps of an epoch and those after the warm-up.
_FAMILIES: dict[type[sections.WarmedUp], Callable[..., Any]] = {
    sections.ConstantSchedule: _constant,
    sections.ExponentialSchedule: _exponential,
    sections.StepSchedule: _step,
    sections.CosineSchedule: _cosine,
    sections.CosineRestartsSchedule: _cosine_restarts,
    sections.OneCycleSchedule: _one_cycle,
    sections.CyclicSchedule: _cyclic,
    sections.PlateauSchedule: _plateau,
}
