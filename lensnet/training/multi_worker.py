"""Several machines: what `MultiWorkerMirroredStrategy` needs to work with Keras 3's `model.fit`.

Stock Keras fails there (keras issue 20585). Three things make it work: the model, its metrics and
its optimizer are built before `fit`, inside the strategy's scope; Keras's own building, on a batch
that is spread over the workers, is skipped; and the logs of a step, which are synchronised
already, are those of the first replica, where Keras would average over an axis they do not have.
A test says when Keras no longer needs this file.

Each worker is a process with its own `TF_CONFIG` that runs the same command; see
https://www.tensorflow.org/guide/distributed_training#TF_CONFIG. All prepare the same data. The
first, the chief, writes the run folder, which must lie where all can read it for `--resume`; the
others write nothing and say nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

__all__ = ["fitting_with_workers"]


@contextlib.contextmanager
def fitting_with_workers(model: keras.Model, strategy: Any, outputs: int) -> Iterator[None]:
    """Lets `model.fit` run with several workers; does nothing for another strategy.

    Args:
        model: compiled in the strategy's scope.
        strategy: the model's.
        outputs: units of the output layer, which are also the labels' columns.
    """
    import tensorflow as tf
    from keras.src.backend.tensorflow import trainer

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        yield
        return
    images = np.zeros((1, *model.input_shape[1:]), "float32")
    with strategy.scope():
        model._symbolic_build(data_batch=(images, np.zeros((1, outputs), "float32")))
    reduce_per_replica = trainer.reduce_per_replica

    def first_for_logs(values: Any, strategy: Any, reduction: str) -> Any:
        if reduction == "auto":
            first = strategy.experimental_local_results
            return keras.tree.map_structure(lambda value: first(value)[0], values)
        return reduce_per_replica(values, strategy, reduction)

    trainer.reduce_per_replica = first_for_logs
    model._maybe_symbolic_build = lambda **_: None
    try:
        yield
    finally:
        trainer.reduce_per_replica = reduce_per_replica
        del model._maybe_symbolic_build
