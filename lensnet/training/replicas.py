"""Dividing batches among replicas, so that every example weighs what it would on one device.

TensorFlow gives each replica the same number of examples, rounded up, and the last ones what is
left: nothing, if the batch is small, which ends in an error deep within. And Keras averages over
the replicas' means, so that an example among few weighs more than one among many. Here parts
differ by one example at most, none is empty, and weights make up for the difference.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import keras

from lensnet.data.pipeline.share import Share
from lensnet.errors import ConfigurationError
from lensnet.layers.accelerated.batch_normalization import synchronized_moments
from lensnet.training.batch_statistics import normalizations_of

__all__ = [
    "check_batches",
    "divide_batches",
    "evaluation_batch_size",
    "is_even",
    "normalize_together",
    "normalizing_alone",
    "smallest_batch",
]


def smallest_batch(strategy: Any) -> int:
    """Returns how many examples a batch must have at least: one for each replica.

    On a TPU, where all parts must have one shape, nothing is divided here.
    """
    return 1 if _is_tpu(strategy) else int(strategy.num_replicas_in_sync)


def check_batches(batch_size: int, examples: dict[str, int], replicas: int) -> None:
    """Checks, before the training, that each replica gets an example of each batch.

    Args:
        batch_size: `training.batch_size`.
        examples: how many each split has, in an epoch.
        replicas: as `smallest_batch` returns it.

    Raises:
        ConfigurationError: a batch or a split is smaller than that.
    """
    if batch_size < replicas:
        raise ConfigurationError(
            f"training.batch_size: a batch of {batch_size} cannot be divided among {replicas} "
            f"devices. Set it to {replicas} or more, or training.strategy to one_device."
        )
    for split, count in examples.items():
        if count < replicas:
            raise ConfigurationError(
                f"The {split} split has {count} images, fewer than the {replicas} devices that are "
                "to share them. Set training.strategy to one_device, or give it more images."
            )


def evaluation_batch_size(batch_size: int, count: int, smallest: int) -> int:
    """Returns the next batch size that leaves no last batch smaller than allowed.

    >>> evaluation_batch_size(8, 17, smallest=2)
    9
    """
    sizes = range(batch_size, max(batch_size, count) + 1)
    return next(size for size in sizes if not 0 < count % size < smallest)


def is_even(batch_size: int, count: int, replicas: int) -> bool:
    """Returns whether all batches of an epoch can be divided evenly."""
    return batch_size % replicas == 0 and count % batch_size % replicas == 0


def divide_batches(batches_of: Callable[[Share | None], Any], strategy: Any, *, weigh: bool) -> Any:
    """Divides each batch among the replicas of a strategy, each worker loading its own share.

    Args:
        batches_of: gives the batches (images, labels) or (images, labels, weights), at least
            `smallest_batch` in each; of a share of them, with the size of the whole batch first.
        strategy: a `tf.distribute` strategy.
        weigh: give each example the weight with which the mean over the replicas' means is the
            mean over the batch; not needed where parts are even, or to measure.

    Returns:
        What is trained or validated on in the strategy's scope.
    """
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync
    if replicas == 1 or _is_tpu(strategy):
        return batches_of(None)

    def of_this_worker(context: Any) -> tf.data.Dataset:
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local
        share = Share(first, first + local, replicas)

        def parts(count: tf.Tensor, *batch: tf.Tensor) -> tf.data.Dataset:
            own = tf.range(share.first, share.end + 1, dtype=tf.int64) * count // replicas
            bounds = own - own[0]
            return tf.data.Dataset.from_tensor_slices((bounds[:-1], bounds[1:])).map(
                lambda low, high: part(batch, low, high, count)
            )

        def part(
            batch: tuple[tf.Tensor, ...], low: tf.Tensor, high: tf.Tensor, count: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            found = tuple(values[low:high] for values in batch)
            if not weigh:
                return found
            weight = tf.cast((high - low) * replicas / count, tf.float32)
            own = found[2] if len(found) > 2 else tf.ones([high - low])
            return *found[:2], weight * own

        options = tf.data.Options()
        options.deterministic = True
        options.autotune.enabled = False
        return batches_of(share).flat_map(parts).prefetch(2 * local).with_options(options)

    return strategy.distribute_datasets_from_function(of_this_worker)


def normalize_together(model: Any, strategy: Any) -> None:
    """Has normalisations take the statistics of the whole batch, not of a replica's part.

    Args:
        model: not yet traced.
        strategy: the model's; nothing is changed where it has one replica.
    """
    if strategy.num_replicas_in_sync > 1:
        for layer in normalizations_of(model):
            layer.synchronized = True
            if isinstance(layer, keras.layers.BatchNormalization):
                # Of the object alone: a subclass would be what is saved.
                layer._moments = types.MethodType(_moments_together, layer)


@contextlib.contextmanager
def normalizing_alone(model: Any) -> Iterator[None]:
    """Undoes `normalize_together` while the block saves a model, which others use alone."""
    layers = [layer for layer in normalizations_of(model) if layer.synchronized]
    for layer in layers:
        layer.synchronized = False
    try:
        yield
    finally:
        for layer in layers:
            layer.synchronized = True


def _moments_together(
    layer: keras.layers.BatchNormalization, inputs: Any, mask: None
) -> tuple[Any, Any]:
    return synchronized_moments(inputs, layer._reduction_axes)


def _is_tpu(strategy: Any) -> bool:
    import tensorflow as tf

    return isinstance(strategy, tf.distribute.TPUStrategy)
