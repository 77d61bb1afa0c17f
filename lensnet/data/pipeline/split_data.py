"""The examples of one split, in memory or on disk, and their batches in order."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lensnet.data.cpus import available_cpus
from lensnet.data.pipeline.preprocessing import Preprocessing
from lensnet.data.pipeline.share import Share, rows_to_load, with_size
from lensnet.data.records.records import Records, without_autograph, without_autotune

__all__ = ["CACHE_BYTES", "SplitData", "in_memory"]

CACHE_BYTES = 256 * 2**20
"""Memory that the preprocessed images of a split may take: 16,000 of 64 px and one channel.

While they are put there they take twice as much."""

_BUFFER_BYTES = 128 * 2**20
_MOST_WORKERS = 16


@dataclass(frozen=True, eq=False)
class SplitData:
    """The examples of one split, ready to be batched.

    A split whose preprocessed pixels fit into `CACHE_BYTES` is kept in memory from its first use
    on; a larger one is read from its records each time.

    Args:
        records: where they lie.
        labels: (N, K) float32, what the network is to say of each.
        preprocessing: from raw pixels to the network's input.
    """

    records: Records
    labels: np.ndarray
    preprocessing: Preprocessing

    @property
    def is_cached(self) -> bool:
        """Whether the images are kept in memory."""
        return 4 * len(self.records) * math.prod(self.preprocessing.image_shape) <= CACHE_BYTES

    @without_autograph
    def ordered(self, batch_size: int, share: Share | None = None) -> tf.data.Dataset:
        """Returns batches (images, labels) in the order of the records, unaugmented.

        Args:
            batch_size: examples in a batch; the last one may have fewer.
            share: the rows of each batch to load; None for all. With it the size of the whole
                batch comes first, (size, images, labels).
        """
        labels = self.all_labels
        images = self.all_images if self.is_cached else None

        def load(serialized: tf.Tensor, positions: tf.Tensor) -> tuple[tf.Tensor, ...]:
            count = tf.size(positions, out_type=tf.int64)
            rows, _ = rows_to_load(share, count)
            positions = positions[rows]
            if images is not None:
                pixels = tf.gather(images, positions)
            else:
                pixels = self.load(serialized[rows])
            return with_size(share, count, (pixels, tf.gather(labels, positions)))

        if images is not None:
            every = tf.data.Dataset.range(len(self.records)).batch(batch_size)
            batches = every.map(lambda positions: load(positions, positions))
        else:
            batches = (
                self.records.read()
                .batch(batch_size)
                .map(load, num_parallel_calls=self.workers(batch_size))
            )
        return self.finished(batches, -(-len(self.records) // batch_size), batch_size)

    def workers(self, batch_size: int) -> int:
        """Returns how many batches are made at a time: as CPUs and memory allow, and two at least.

        Args:
            batch_size: examples in a batch.
        """
        batch_bytes = 4 * batch_size * math.prod(self.preprocessing.image_shape)
        return max(2, min(available_cpus(), _MOST_WORKERS, _BUFFER_BYTES // batch_bytes))

    def finished(self, batches: tf.data.Dataset, count: int, batch_size: int) -> tf.data.Dataset:
        """Returns a dataset of known length that prepares batches before they are asked for.

        Args:
            batches: the batches.
            count: how many there are.
            batch_size: examples in a batch.
        """
        options = tf.data.Options()
        # Each worker reads all records and keeps its share: a small data set has too few files to
        # divide these.
        policy = tf.data.experimental.AutoShardPolicy.DATA
        options.experimental_distribute.auto_shard_policy = policy
        return without_autotune(
            batches.apply(tf.data.experimental.assert_cardinality(count))
            .prefetch(self.workers(batch_size))
            .with_options(options)
        )

    def load(self, serialized: tf.Tensor) -> tf.Tensor:
        """Returns the preprocessed images (N, H, W, C) of serialized records (N,)."""
        images = self.preprocessing(self.records.decode(serialized))
        return tf.ensure_shape(images, (None, *self.preprocessing.image_shape))

    @functools.cached_property
    def all_labels(self) -> tf.Tensor:
        """The labels, (N, K) float32."""
        return in_memory(self.labels)

    @functools.cached_property
    @without_autograph
    def all_images(self) -> tf.Tensor:
        """All images, preprocessed, (N, H, W, C) float32."""
        images = np.empty((len(self.records), *self.preprocessing.image_shape), np.float32)
        read = self.records.read().batch(64).map(lambda serialized, _: self.load(serialized))
        at = 0
        for batch in without_autotune(read.prefetch(2)):
            images[at : at + len(batch)] = batch.numpy()
            at += len(batch)
        return in_memory(images)


def in_memory(values: np.ndarray) -> tf.Tensor:
    """Returns a tensor in the host's memory, whatever other devices there are."""
    with tf.init_scope(), tf.device("/CPU:0"):
        return tf.constant(values)
