"""The callbacks that a recipe brings along, each with a state that a checkpoint keeps."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.config import Experiment
from lensnet.config.schedules import PlateauSchedule
from lensnet.training.plateau import PlateauReduction
from lensnet.training.weight_averaging import WeightAveraging

__all__ = ["companions_of"]


def companions_of(experiment: Experiment, schedule: Any, model: keras.Model) -> list[Any]:
    """Makes them, in the order in which they are to be called.

    Args:
        experiment: which says what it needs.
        schedule: the learning rate's, as `lensnet.schedules.create` makes it.
        model: which is trained, in the scope of its strategy.
    """
    training = experiment.training
    section = training.schedule
    companions: list[Any] = []
    if isinstance(section, PlateauSchedule):
        lower_is_better = experiment.task_spec.monitors[section.monitor] == "min"
        companions.append(PlateauReduction(section, schedule.schedule, lower_is_better))
    if training.weight_averaging is not None:
        steps = training.gradient_accumulation_steps
        companions.append(WeightAveraging(training.weight_averaging, model, training.epochs, steps))
    return companions
