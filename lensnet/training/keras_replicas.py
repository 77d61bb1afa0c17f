"""What Keras 3's training needs to work with several replicas, and from within an epoch on.

Keras builds a model's metrics and optimizer on the mean of the parts of a batch, which there is
none of where parts differ in size. Here they are built before, inside the strategy's scope, and
Keras's own building, for which it loads a batch before each validation, is skipped.

With several machines, `MultiWorkerMirroredStrategy`, stock Keras fails altogether (keras issue
20585). What is skipped is a part of the cure; the other is that the logs of a step, which are
synchronised already, are those of the first replica, where Keras would average over an axis they
do not have. A test says when Keras no longer needs this.

Each worker is a process that runs the same command (`lensnet.training.cluster` says how it knows
which it is). All prepare the same data. The first, the chief, writes the run folder, which must lie
where all can read it for `--resume`; the others write nothing and say nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from lensnet.training.workers import has_several_workers

__all__ = ["build", "fitting_with_replicas"]


def build(model: keras.Model, strategy: Any) -> None:
    """Makes the variables of a compiled model's metrics and optimizer.

    Args:
        model: compiled in the strategy's scope; it has one output, (batch, units).
        strategy: the model's.
    """
    images = np.zeros((1, *model.input_shape[1:]), "float32")
    labels = np.zeros((1, *model.output_shape[1:]), "float32")
    with strategy.scope():
        model._symbolic_build(data_batch=(images, labels))


@contextlib.contextmanager
def fitting_with_replicas(model: keras.Model, strategy: Any) -> Iterator[None]:
    """Lets a model be trained with whatever replicas there are.

    Args:
        model: compiled in the strategy's scope; it has one output, (batch, units).
        strategy: the model's.
    """
    build(model, strategy)
    model._maybe_symbolic_build = lambda **_: None
    try:
        if has_several_workers(strategy):
            with _logs_of_the_first_replica():
                yield
        else:
            yield
    finally:
        del model._maybe_symbolic_build


@contextlib.contextmanager
def _logs_of_the_first_replica() -> Iterator[None]:
    from keras.src.backend.tensorflow import trainer

    reduce_per_replica = trainer.reduce_per_replica

    def first_for_logs(values: Any, strategy: Any, reduction: str) -> Any:
        if reduction == "auto":
            first = strategy.experimental_local_results
            return keras.tree.map_structure(lambda value: first(value)[0], values)
        return reduce_per_replica(values, strategy, reduction)

    trainer.reduce_per_replica = first_for_logs
    try:
        yield
    finally:
        trainer.reduce_per_replica = reduce_per_replica
