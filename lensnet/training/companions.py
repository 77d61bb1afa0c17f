"""The callbacks that a recipe brings along, each with a state that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import keras

from lensnet.config import Experiment
from lensnet.config.schedules import PlateauSchedule
from lensnet.config.sections import Training
from lensnet.training.plateau import PlateauReduction
from lensnet.training.weight_averaging import WeightAveraging

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["companions_of"]


def companions_of(
    experiment: Experiment, data: PreparedData, schedule: Any, model: keras.Model
) -> list[Any]:
    """Makes them, in the order in which they are to be called.

    Args:
        experiment: which says what it needs.
        data: its data.
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
        companions.append(
            WeightAveraging(
                training.weight_averaging, model, training.epochs, steps, _images_of(data, training)
            )
        )
    return companions


def _images_of(data: PreparedData, training: Training) -> Callable[[int], Iterable[Any]]:
    """Gives the images of an epoch, as the network is trained on them."""

    def images_of(epoch: int) -> Iterable[Any]:
        batches = data.training_batches(training.batch_size, first_epoch=epoch, epochs=epoch + 1)
        return batches.map(lambda images, *rest: images)

    return images_of
