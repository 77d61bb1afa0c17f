"""Shuffled and augmented batches, epoch after epoch, without any state.

Which examples an epoch has, in what order, and how each is augmented are pure functions of (seed,
epoch, example): an epoch is the same, bit for bit, whether the stream began with it, before it, or
at any step of it. So a training run that was killed goes on as if it had not been.

A split in memory is shuffled as a whole. One that is streamed reads its shards in another order
each epoch, and is shuffled within windows of `WINDOW_BYTES`, which hold several shards each. As
records lie on disk in the order of their hashes, each shard is a fair sample of the split. Only a
`Balancing` fetches its records one by one: a rare class's would not be near when they are due.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lensnet.config.augmentation import Augmentation
from lensnet.data.augmentation.augmenter import augmenter, stateless_random
from lensnet.data.hashing import stable_hash, stable_hashes
from lensnet.data.pipeline.balance import Balancing, Oversampling
from lensnet.data.pipeline.share import Share, rows_to_load, with_size
from lensnet.data.pipeline.split_data import SplitData, in_memory
from lensnet.data.records.records import without_autograph

__all__ = ["WINDOW_BYTES", "TrainingStream"]

WINDOW_BYTES = 64 * 2**20
"""Memory of the window that a streamed split is shuffled in; two are held at a time."""

_SHARDS, _CLASSES = stable_hash("shards"), stable_hash("classes")


@dataclass(frozen=True, eq=False)
class TrainingStream:
    """The batches of a training split.

    Args:
        data: the split.
        batch_size: examples in a batch; the last one of an epoch may have fewer.
        seed: of shuffling and augmentation.
        augmentation: random changes, in order.
        balance: how often examples come that are of classes of unequal size; None for once.
        weights: (N,) float32, the weight of each example in the loss; None for 1. Where labels are
            mixed, weights are mixed alike.
    """

    data: SplitData
    batch_size: int
    seed: int
    augmentation: Sequence[Augmentation] = ()
    balance: Oversampling | Balancing | None = None
    weights: np.ndarray | None = None
    smallest_batch: int = 1

    @property
    def examples_per_epoch(self) -> int:
        """How many examples an epoch has, counting each copy."""
        return len(self.data.records) if self.balance is None else self.balance.total

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        whole, rest = divmod(self.examples_per_epoch, self.batch_size)
        return max(1, whole + (rest >= self.smallest_batch if rest else 0))

    @without_autograph
    def batches(
        self, first_epoch: int, epochs: int, first_step: int = 0, share: Share | None = None
    ) -> tf.data.Dataset:
        """Returns batches (images, labels) or (images, labels, weights).

        Args:
            first_epoch: the epoch to begin with, from 0.
            epochs: the epoch to end before.
            first_step: the batch of the first epoch to begin with; what comes before it is not
                decoded.
            share: the rows of each batch to load; None for all. With it the size of the whole
                batch comes first, (size, images, labels ...).
        """
        if first_step == self.steps_per_epoch:
            first_epoch, first_step = first_epoch + 1, 0
        keys = in_memory(stable_hashes(self.data.records.ids))

        def epoch_from_step(epoch: tf.Tensor) -> tf.data.Dataset:
            done = tf.where(epoch == first_epoch, tf.constant(first_step, tf.int64), 0)
            return self._epoch(keys, epoch, done)

        batches = (
            tf.data.Dataset.range(first_epoch, epochs)
            .flat_map(epoch_from_step)
            .map(self._loader(share), num_parallel_calls=self.data.workers(self.batch_size))
        )
        count = (epochs - first_epoch) * self.steps_per_epoch - first_step
        return self.data.finished(batches, count, self.batch_size)

    def _loader(self, share: Share | None) -> Callable[..., tuple[tf.Tensor, ...]]:
        """Returns what makes a batch of (records or nothing, positions, seeds)."""
        labels, number_of_labels = self.data.all_labels, self.data.labels.shape[1]
        weighs = self.weights is not None
        if self.weights is not None:
            # A column beside the labels, they are mixed as these are.
            labels = in_memory(np.column_stack([self.data.labels, self.weights]))
        images = self.data.all_images if self.data.is_cached else None
        by_position = self._is_by_position
        augment = augmenter(self.augmentation, self.data.preprocessing.image_shape)

        def load(
            records: tf.Tensor, positions: tf.Tensor, seeds: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            count = tf.size(positions, out_type=tf.int64)
            loaded, kept = rows_to_load(share, count, self.augmentation)
            positions, seeds = positions[loaded], seeds[loaded]
            if images is not None:
                pixels = tf.gather(images, positions)
            elif by_position:
                pixels = self.data.load(self.data.records.fetch(positions))
            else:
                pixels = self.data.load(records[loaded])
            changed = augment(pixels, tf.gather(labels, positions), seeds)
            batch = tuple(values[kept] for values in changed)
            if weighs:
                mixed = batch[1]
                batch = batch[0], mixed[:, :number_of_labels], mixed[:, number_of_labels]
            return with_size(share, count, batch)

        return load

    def examples(self, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and labels or targets of a batch.

        Args:
            epoch: its epoch, from 0.
            step: its place in the epoch, from 0.
        """
        keys = in_memory(stable_hashes(self.data.records.ids))
        at = tf.constant(epoch, tf.int64), tf.constant(step, tf.int64)
        _, positions, _ = next(iter(self._epoch(keys, *at).take(1)))
        found = np.asarray(positions)
        return self.data.records.ids[found], self.data.records.labels[found]

    @property
    def _is_by_position(self) -> bool:
        """Whether images are found by their place in the split."""
        return self.data.is_cached or isinstance(self.balance, Balancing)

    def _epoch(self, keys: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor) -> tf.data.Dataset:
        """Returns batches (records or nothing, positions, seeds) of an epoch, from a step on."""
        if self._is_by_position:
            return self._epoch_by_position(keys, epoch, step)
        return self._epoch_on_disk(keys, epoch, step)

    def _epoch_by_position(
        self, keys: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor
    ) -> tf.data.Dataset:
        """Returns batches (nothing, positions, seeds): the images are found by their position."""
        if isinstance(self.balance, Balancing):
            positions, rounds = self.balance.draw(
                keys, stateless_random.mix(self.seed, _CLASSES), epoch
            )
            seeds = stateless_random.mix(self.seed, epoch, tf.gather(keys, positions), rounds)
        else:
            every = tf.range(len(self.data.records), dtype=tf.int64)
            positions, seeds = self._shuffle(every, keys, epoch)
        starts = self.batch_size * np.arange(self.steps_per_epoch)
        ends = np.append(starts[1:], self.examples_per_epoch)
        return (
            tf.data.Dataset.from_tensor_slices((starts, ends))
            .skip(step)
            .map(lambda at, end: (at, positions[at:end], seeds[at:end]))
        )

    def _epoch_on_disk(self, keys: tf.Tensor, epoch: tf.Tensor, step: tf.Tensor) -> tf.data.Dataset:
        """Returns batches (serialized records, positions, seeds)."""
        records = self.data.records
        shards = stateless_random.mix(self.seed, _SHARDS, epoch, tf.range(len(records.files)))
        window = max(self.batch_size, WINDOW_BYTES * len(records) // (4 * records.pixels))
        # Every batch but the last has this many.
        done = step * self.batch_size
        # Whole windows need not be read, where each has as many examples as records.
        unread = done // window * window if self.balance is None else tf.zeros_like(done)

        def shuffle(serialized: tf.Tensor, positions: tf.Tensor) -> tf.data.Dataset:
            index, seeds = self._shuffle(positions, keys, epoch)
            return tf.data.Dataset.from_tensor_slices(
                (
                    tf.gather(serialized, index),
                    tf.gather(positions, index),
                    seeds,
                )
            )

        windows = records.read(_ascending(shards), unread).batch(window).prefetch(1)
        return self._in_batches(windows.flat_map(shuffle).skip(done - unread), done)

    def _in_batches(self, examples: tf.data.Dataset, done: tf.Tensor) -> tf.data.Dataset:
        """Returns batches of the examples of an epoch that come after those that are done."""
        last = self.steps_per_epoch - 1
        length = self.examples_per_epoch - last * self.batch_size
        if length <= self.batch_size:
            return examples.batch(self.batch_size)
        sizes = tf.constant([self.batch_size, length], tf.int64)
        return examples.enumerate(done).group_by_window(
            key_func=lambda index, _: tf.minimum(index // self.batch_size, last),
            reduce_func=lambda _, window: window.map(lambda _, example: example).batch(length),
            window_size_func=lambda key: sizes[tf.cast(key == last, tf.int32)],
        )

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
        if isinstance(self.balance, Oversampling):
            index, copy = self.balance.repeat(positions, epoch)
        else:
            index = tf.range(tf.size(positions, out_type=tf.int64))
            copy = tf.zeros_like(index)
        own = tf.gather(keys, tf.gather(positions, index))
        seeds = stateless_random.mix(self.seed, epoch, own, copy)
        order = _ascending(stateless_random.stream(seeds, "order"))
        return tf.gather(index, order), tf.gather(seeds, order)


def _ascending(drawn: tf.Tensor) -> tf.Tensor:
    return tf.argsort(tf.bitcast(drawn, tf.int64), stable=True)
