"""Learning-rate schedules by the name they have in an experiment file."""

from __future__ import annotations

import keras

from lensnet.config.sections import ConstantSchedule, CosineSchedule

__all__ = ["create"]


def create(
    section: ConstantSchedule | CosineSchedule,
    learning_rate: float,
    *,
    epochs: int,
    steps_per_epoch: int,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Makes the schedule that `training.schedule` describes.

    The rate rises linearly over the warm-up, then falls along half a cosine to
    `final_fraction` of itself (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts). A
    constant schedule is one that falls to all of itself.

    Args:
        section: the section.
        learning_rate: after the warm-up.
        epochs: of the whole training.
        steps_per_epoch: batches in an epoch.

    Example:

    >>> schedule = create(CosineSchedule(warmup_epochs=1), 0.1, epochs=10, steps_per_epoch=5)
    >>> [round(float(schedule(step)), 3) for step in (0, 5, 50)]
    [0.02, 0.1, 0.0]
    """
    warmup_steps = round(section.warmup_epochs * steps_per_epoch)
    total_steps = epochs * steps_per_epoch
    final_fraction = section.final_fraction if isinstance(section, CosineSchedule) else 1.0
    return keras.optimizers.schedules.CosineDecay(
        # Not from zero, for the first step would be lost.
        initial_learning_rate=learning_rate / max(warmup_steps, 1),
        decay_steps=max(total_steps - warmup_steps, 1),
        alpha=final_fraction,
        warmup_target=learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
