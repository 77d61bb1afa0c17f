"""Whether the gradients of several batches can make one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.config import Experiment
from lensnet.errors import ConfigurationError

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["check_accumulation"]


def check_accumulation(experiment: Experiment, data: PreparedData, strategy: Any) -> None:
    """Checks `training.gradient_accumulation_steps` against the data and the devices.

    Args:
        experiment: which says how many steps.
        data: its data.
        strategy: of `tf.distribute`.

    Raises:
        ConfigurationError: gradients would be carried over from epoch to epoch, or there are
            several devices, with which Keras's accumulation does not work.
    """
    training = experiment.training
    steps, key = training.gradient_accumulation_steps, "training.gradient_accumulation_steps"
    if steps == 1:
        return
    if strategy.num_replicas_in_sync > 1:
        raise ConfigurationError(
            f"{key}: Keras accumulates gradients on one device only, and here are "
            f"{strategy.num_replicas_in_sync}. Set training.strategy=one_device, or leave the key "
            "out: the devices share training.batch_size.",
            key=key,
        )
    batches = data.steps_per_epoch(training.batch_size)
    if batches % steps:
        divisors = [str(number) for number in range(1, batches + 1) if batches % number == 0]
        raise ConfigurationError(
            f"{key}: {steps} does not divide the {batches} batches of {training.batch_size} images "
            f"in an epoch. Allowed with this training.batch_size: {', '.join(divisors)}.",
            key=key,
        )
