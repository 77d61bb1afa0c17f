"""Training epoch by epoch, as Keras's `fit` does, but from any step of any epoch on.

`keras.Model.fit` begins with an `initial_epoch`, always at its first step. A run that was stopped
within an epoch must go on within it: with the metrics of the steps that are done, and where all of
them are done with the validation alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

__all__ = ["train_epochs"]


def train_epochs(
    model: keras.Model,
    batches: Any,
    validation: Any,
    callbacks: Sequence[keras.callbacks.Callback],
    *,
    epochs: int,
    steps_per_epoch: int,
    first_epoch: int = 0,
    first_step: int = 0,
    validation_steps: int | None = None,
) -> None:
    """Trains a model, and validates it after each epoch.

    Callbacks are called as by `fit`; they are told a step's place in the epoch, wherever training
    has begun. One that sets `model.stop_training` at a step ends the epoch with it, which is
    validated, and the training.

    Args:
        model: compiled, and built by `lensnet.training.keras_replicas.build`.
        batches: of `tf.data` or `tf.distribute`, from the first step on, epoch after epoch.
        validation: what to validate on after each epoch.
        callbacks: in the order in which they are called.
        epochs: the epoch to end before.
        steps_per_epoch: batches in an epoch.
        first_epoch: the epoch to begin with, from 0.
        first_step: how many steps of it are done; up to all of them.
        validation_steps: batches of the validation, where they do not tell themselves.
    """
    called = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=epochs, steps=steps_per_epoch, verbose=0
    )
    iterator = iter(_distributed(batches, model.distribute_strategy))
    model.stop_training = False
    model.make_train_function()
    called.on_train_begin()
    for epoch in range(first_epoch, epochs):
        model.reset_metrics()
        called.on_epoch_begin(epoch)
        for step in range(first_step if epoch == first_epoch else 0, steps_per_epoch):
            called.on_train_batch_begin(step)
            logs = model.train_function(iterator)
            called.on_train_batch_end(step, logs)
            if model.stop_training:
                break
        found = dict(model.get_metrics_result())
        validated = model.evaluate(
            validation, steps=validation_steps, callbacks=called, return_dict=True, verbose=0
        )
        found |= {f"val_{name}": value for name, value in validated.items()}
        called.on_epoch_end(epoch, found)
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_weights)
    called.on_train_end()


def _distributed(batches: Any, strategy: Any) -> Any:
    import tensorflow as tf

    if isinstance(batches, tf.distribute.DistributedDataset):
        return batches
    return strategy.experimental_distribute_dataset(batches)
