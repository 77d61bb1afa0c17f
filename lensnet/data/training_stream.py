"""Shuffled and augmented batches, epoch after epoch, without any state.

Which examples an epoch has, in what order, and how each is augmented are pure functions of (seed,
epoch, example): an epoch is the same, bit for bit, whether the stream began with it or before it.
So a training run that was killed goes on as if it had not been.

A split in memory is shuffled as a whole. One that is streamed reads its shards in another order
each epoch, and is shuffled within windows of `WINDOW_BYTES`, which hold several shards each. As
records lie on disk in the order of their hashes, each shard is a fair sample of the split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lensnet.data import draws
from lensnet.data.augmentation import augment
from lensnet.data.balance import Oversampling
from lensnet.data.hashing import stable_hash, stable_hashes
from lensnet.data.split_data import SplitData, finished, in_memory

__all__ = ["WINDOW_BYTES", "TrainingStream"]

WINDOW_BYTES = 64 * 2**20
"""Memory of the window that a streamed split is shuffled in; two are held at a time."""

_SHARDS = stable_hash("shards")


@dataclass(frozen=True, eq=False)
class TrainingStream:
    """The batches of a training split.

    Args:
        data: the split.
        batch_size: examples in a batch; the last one of an epoch may have fewer.
        seed: of shuffling and augmentation.
        augmentation: names of augmentations.
        oversampling: which examples come more than once an epoch.
        weights: (N,) float32, the weight of each example in the loss.
    """

    data: SplitData
    batch_size: int
    seed: int
    augmentation: Sequence[str] = ()
    oversampling: Oversampling | None = None
    weights: np.ndarray | None = None

    @property
    def examples_per_epoch(self) -> int:
        """How many examples an epoch has, counting each copy."""
        return len(self.data.records) if self.oversampling is None else self.oversampling.total

    def batches(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Returns batches (images, labels) or (images, labels, weights).

        Args:
            first_epoch: the epoch to begin with, from 0.
            epochs: the epoch to end before.
        """
        labels = self.data.all_labels
        weights = None if self.weights is None else in_memory(self.weights)
        keys = in_memory(stable_hashes(self.data.records.ids))
        images = self.data.all_images if self.data.is_cached else None

        def epoch_of_batches(epoch: tf.Tensor) -> tf.data.Dataset:
            if images is not None:
                return self._epoch_in_memory(keys, epoch)
            return self._epoch_on_disk(keys, epoch)

        def load(
            records: tf.Tensor, positions: tf.Tensor, seeds: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            pixels = self.data.load(records) if images is None else tf.gather(images, positions)
            wanted = tf.gather(labels, positions)
            changed = augment(pixels, wanted, seeds, self.augmentation)
            return changed if weights is None else (*changed, tf.gather(weights, positions))

        batches = (
            tf.data.Dataset.range(first_epoch, epochs)
            .flat_map(epoch_of_batches)
            .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        )
        steps = -(-self.examples_per_epoch // self.batch_size)
        return finished(batches, (epochs - first_epoch) * steps)

    def _epoch_in_memory(self, keys: tf.Tensor, epoch: tf.Tensor) -> tf.data.Dataset:
        """Returns batches (nothing, positions, seeds): the images are in memory."""
        every = tf.range(len(self.data.records), dtype=tf.int64)
        positions, seeds = self._shuffle(every, keys, epoch)
        size = self.batch_size
        return tf.data.Dataset.range(0, self.examples_per_epoch, size).map(
            lambda at: (at, positions[at : at + size], seeds[at : at + size])
        )

    def _epoch_on_disk(self, keys: tf.Tensor, epoch: tf.Tensor) -> tf.data.Dataset:
        """Returns batches (serialized records, positions, seeds)."""
        records = self.data.records
        shards = draws.mix(self.seed, _SHARDS, epoch, tf.range(len(records.files)))
        window = max(self.batch_size, WINDOW_BYTES * len(records) // (4 * records.pixels))

        def shuffle(serialized: tf.Tensor, positions: tf.Tensor) -> tf.data.Dataset:
            index, seeds = self._shuffle(positions, keys, epoch)
            return tf.data.Dataset.from_tensor_slices(
                (tf.gather(serialized, index), tf.gather(positions, index), seeds)
            )

        windows = records.read(_ascending(shards)).batch(window).prefetch(1)
        return windows.flat_map(shuffle).batch(self.batch_size)

    def _shuffle(
        self, positions: tf.Tensor, keys: tf.Tensor, epoch: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns which of the given examples an epoch has, in its order.

        Args:
            positions: (M,) int64, examples by their place in the split.
            keys: (N,) uint64, the hash of each example's id.
            epoch: () int64.

        Returns:
            Indices into `positions`, int64, and the seed of each, uint64; (L,) both.
        """
        if self.oversampling is None:
            index = tf.range(tf.size(positions, out_type=tf.int64))
            copy = tf.zeros_like(index)
        else:
            index, copy = self.oversampling.repeat(positions, epoch)
        own = tf.gather(keys, tf.gather(positions, index))
        seeds = draws.mix(self.seed, epoch, own, copy)
        order = _ascending(draws.stream(seeds, "order"))
        return tf.gather(index, order), tf.gather(seeds, order)


def _ascending(drawn: tf.Tensor) -> tf.Tensor:
    return tf.argsort(tf.bitcast(drawn, tf.int64), stable=True)
