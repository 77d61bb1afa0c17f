"""The prepared records of one split, or of a slice of one, and what is known of each.

Records are read in whole batches, which is several times faster than TFDS's reading of one example
at a time; what lies on disk is TFDS's format, which `tfds.load` reads as well.

In order, tf.data reads the files. By position, as `balance: balanced` needs a split that does not
fit into memory, nothing reads TFRecord files; the look-up of where each record lies is ours.
ArrayRecord files could be read by position, but not by `tfds.load`: TFDS gives `as_dataset` of
them up. As TFDS writes them, compressed, they are read at 0.68 of the speed in order and 0.39 by
position; uncompressed, as it does not write them, at 1.27 in order and 0.59 by position
(`benchmarks/record_reading.py`, whose results say on what machine).
"""

from __future__ import annotations

import functools
import math
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from lensnet.data.records.index import Index
from lensnet.errors import ConfigurationError

__all__ = ["Records", "open_records", "without_autograph", "without_autotune"]

P = ParamSpec("P")
R = TypeVar("R")

_READ_BUFFER_BYTES = 4 * 2**20


@dataclass(frozen=True, eq=False)
class Records:
    """Records in their order on disk.

    Args:
        files: the shards that hold them, in order.
        skips: of each shard, how many records come before them.
        takes: of each shard, how many are taken.
        ids: of each record, (N,) str.
        labels: of each record, label's number (int64) or target (float64), (N,).
        image_shape: (H, W, C) of the raw images.
    """

    files: tuple[str, ...]
    skips: np.ndarray
    takes: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    image_shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def starts(self) -> np.ndarray:
        """Position among all records of the first that each shard holds."""
        return np.cumsum(self.takes) - self.takes

    def read(self, order: tf.Tensor | None = None, skip: tf.Tensor | int = 0) -> tf.data.Dataset:
        """Returns a dataset of (serialized record, position), shard after shard.

        Args:
            order: the order in which the shards are read; by default theirs.
            skip: how many of the first records are left out; whole shards of them are not read.
        """
        files = tf.constant(self.files)
        skips, takes = tf.constant(self.skips, tf.int64), tf.constant(self.takes, tf.int64)
        starts = tf.constant(self.starts, tf.int64)

        def read_shard(shard: tf.Tensor, left_out: tf.Tensor) -> tf.data.Dataset:
            records = tf.data.TFRecordDataset(files[shard], buffer_size=_READ_BUFFER_BYTES)
            taken = records.skip(skips[shard] + left_out).take(takes[shard] - left_out)
            end = starts[shard] + takes[shard]
            positions = tf.data.Dataset.range(starts[shard] + left_out, end)
            return tf.data.Dataset.zip((taken, positions))

        if order is None:
            order = tf.range(len(self.files))
        sizes = tf.gather(takes, order)
        left_out = tf.clip_by_value(
            tf.cast(skip, tf.int64) - tf.cumsum(sizes, exclusive=True), 0, sizes
        )
        return tf.data.Dataset.from_tensor_slices((order, left_out)).flat_map(read_shard)

    def fetch(self, positions: tf.Tensor) -> tf.Tensor:
        """Returns the serialized records at positions (M,) int64, in that order; (M,) string."""
        found = tf.numpy_function(self._fetch, [positions], tf.string, stateful=False)
        return tf.ensure_shape(found, positions.shape)

    def _fetch(self, positions: np.ndarray) -> np.ndarray:
        shards = np.searchsorted(self.starts, positions, side="right") - 1
        found = np.empty(len(positions), object)
        for shard in np.unique(shards):
            with open(self.files[shard], "rb") as stream:
                for at in np.flatnonzero(shards == shard):
                    start, length = self._extents[positions[at]]
                    stream.seek(start)
                    found[at] = stream.read(length)
        return found

    @functools.cached_property
    def _extents(self) -> np.ndarray:
        """Where each record's content lies in its file, and its length; (N, 2) int64.

        A TFRecord is its length, a checksum of that, the content, and a checksum of it.
        """
        extents = np.empty((len(self), 2), np.int64)
        row = 0
        for path, skip, take in zip(self.files, self.skips, self.takes, strict=True):
            with open(path, "rb") as stream:
                for number in range(skip + take):
                    (length,) = struct.unpack("<Q4x", stream.read(12))
                    if number >= skip:
                        extents[row] = stream.tell(), length
                        row += 1
                    stream.seek(length + 4, os.SEEK_CUR)
        return extents

    def decode(self, serialized: tf.Tensor) -> tf.Tensor:
        """Returns the images (N, H, W, C) of serialized records (N,), raw."""
        found = tf.io.parse_example(serialized, {"image": tf.io.FixedLenFeature([], tf.string)})
        # All have this many bytes: saying so spares a check and a copy.
        pixels = tf.io.decode_raw(found["image"], tf.float32)
        return tf.reshape(pixels, (-1, *self.image_shape))

    def images(self, batch_size: int = 64) -> Iterator[np.ndarray]:
        """Yields batches (N, H, W, C) of the raw images, in order."""
        for serialized, _ in without_autotune(self.read().batch(batch_size).prefetch(2)):
            yield self.decode(serialized).numpy()

    @property
    def pixels(self) -> int:
        """Numbers in all images."""
        return len(self) * math.prod(self.image_shape)


def without_autotune(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset that is read as it is written down, in order, without tf.data's tuner.

    The tuner's thread sleeps for longer and longer, up to a minute, and whoever lets go of the
    iterator sometimes waits until it wakes (TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False
    return dataset.with_options(options)


def without_autograph(function: Callable[P, R]) -> Callable[P, R]:
    """Returns a function in which TensorFlow takes functions for tf.data as they are written.

    None of them branches or loops on a tensor. Else it would rewrite the source of each, and of all
    that they call, for two seconds before the first batch.
    """
    wrapped: Callable[P, R] = tf.autograph.experimental.do_not_convert(function)
    return wrapped


def open_records(builder: tfds.core.DatasetBuilder, index: Index, part: str) -> Records:
    """Finds the records of a split or a slice of one.

    Args:
        builder: of records that are there.
        index: its lists.
        part: a split, or a slice in TFDS's words, such as `"train[:90%]"`.

    Raises:
        ConfigurationError: there is no such split or slice.
    """
    splits = builder.info.splits
    try:
        instructions = splits[part].file_instructions
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f'data.splits: "{part}" is not a slice of the splits of these data '
            f"({', '.join(splits)}). "
            'Write them as in "train", "train[:90%]" or "train[1000:]".'
        ) from error
    shards: dict[str, tuple[str, int]] = {}
    for name in splits:
        offset = 0
        for path, length in zip(splits[name].filepaths, splits[name].shard_lengths, strict=True):
            shards[str(path)] = (name, offset)
            offset += length
    files, skips, takes, ids, labels = [], [], [], [], []
    for instruction in instructions:
        take = instruction.take
        take = instruction.examples_in_shard - instruction.skip if take < 0 else take
        name, offset = shards[str(instruction.filename)]
        rows = slice(offset + instruction.skip, offset + instruction.skip + take)
        files.append(str(instruction.filename))
        skips.append(instruction.skip)
        takes.append(take)
        ids.append(index.ids[name][rows])
        labels.append(index.labels[name][rows])
    if sum(takes) == 0:
        raise ConfigurationError(f'data.splits: "{part}" holds no example.')
    return Records(
        files=tuple(files),
        skips=np.array(skips, dtype=np.int64),
        takes=np.array(takes, dtype=np.int64),
        ids=np.concatenate(ids),
        labels=np.concatenate(labels),
        image_shape=tuple(builder.info.features["image"].shape),
    )
