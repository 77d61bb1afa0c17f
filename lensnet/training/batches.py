"""What a network is trained and validated on, as the devices share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from lensnet.config.sections import Training
from lensnet.data.pipeline.share import Share
from lensnet.training.replicas import (
    divide_batches,
    evaluation_batch_size,
    is_even,
    smallest_batch,
)

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["as_learned", "batches_from"]


def batches_from(
    training: Training, data: PreparedData, strategy: Any, first_epoch: int, first_step: int
) -> tuple[Any, Any, int | None]:
    """Returns what is trained on, what is validated on, and the number of batches of the latter.

    That number is None where Keras can tell it by itself.

    Args:
        training: the experiment's section.
        data: its data.
        strategy: of `tf.distribute`.
        first_epoch: the epoch to begin with.
        first_step: the step of it to begin with.
    """
    size, smallest = training.batch_size, smallest_batch(strategy)
    uneven = not is_even(size, data.examples_per_epoch, smallest)
    count = len(data.examples("validation").ids)
    validation_size = evaluation_batch_size(size, count, smallest)

    def to_train_on(share: Share | None) -> Any:
        batches = data.training_batches(
            size,
            first_epoch=first_epoch,
            first_step=first_step,
            epochs=training.epochs,
            smallest_batch=smallest,
            share=share,
        )
        return as_learned(batches, data, weighed=data.training_weights is not None)

    def to_validate_on(share: Share | None) -> Any:
        batches = as_learned(data.batches("validation", validation_size, share), data)
        # Of divided batches Keras cannot tell how many there are.
        return batches if share is None else batches.repeat()

    return (
        divide_batches(to_train_on, strategy, weigh=uneven),
        divide_batches(to_validate_on, strategy, weigh=False),
        -(-count // validation_size) if smallest > 1 else None,
    )


def as_learned(batches: Any, data: PreparedData, *, weighed: bool = False) -> Any:
    """Returns batches whose targets are as the network learns them: see `data.target_transform`.

    Args:
        batches: which may have the size of the whole batch before them.
        data: whose batches they are.
        weighed: whether weights come after the targets.
    """
    transform = data.target_transform
    if transform is None:
        return batches

    place = -2 if weighed else -1

    def learned(*batch: Any) -> tuple[Any, ...]:
        parts = list(batch)
        parts[place] = transform.learned(parts[place], keras.ops.log10)
        return tuple(parts)

    return batches.map(learned)
