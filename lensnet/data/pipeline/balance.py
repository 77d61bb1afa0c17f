"""How often the examples of classes of unequal size come, in the training split alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lensnet.data.augmentation import stateless_random

__all__ = ["Balancing", "Oversampling"]


@dataclass(frozen=True, eq=False)
class Oversampling:
    """Repeats the examples of the smaller classes until every class is as large as the largest.

    An example of a class of n, where the largest has m, comes m // n times an epoch. The m % n
    examples that come once more are others in each epoch: they move on through the class, so that
    over the epochs all come equally often. An epoch's choice follows from its number alone.

    Args:
        often: (N,) how often each example comes at least.
        more: (N,) how many of its class come once more.
        size: (N,) examples of its class.
        rank: (N,) its place in its class.
        total: examples in an epoch.
    """

    often: np.ndarray
    more: np.ndarray
    size: np.ndarray
    rank: np.ndarray
    total: int

    @classmethod
    def of(cls, labels: np.ndarray, num_classes: int) -> Oversampling:
        """Returns the oversampling of a training split.

        Args:
            labels: (N,) int.
            num_classes: how many classes there are.
        """
        counts = np.bincount(labels, minlength=num_classes)
        largest = int(counts.max())
        rank = np.empty(len(labels), dtype=np.int64)
        for number in range(num_classes):
            members = np.flatnonzero(labels == number)
            rank[members] = np.arange(len(members))
        size = counts[labels].astype(np.int64)
        return cls(
            often=largest // size,
            more=largest % size,
            size=size,
            rank=rank,
            total=largest * int(np.count_nonzero(counts)),
        )

    def repeat(self, positions: tf.Tensor, epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns which of the given examples an epoch has, each as often as it comes.

        Args:
            positions: (M,) int64, examples by their place in the split.
            epoch: () int64.

        Returns:
            Indices into `positions`, and the number of the copy from 0; (L,) int64 both.
        """

        def of(values: np.ndarray) -> tf.Tensor:
            return tf.gather(tf.constant(values, tf.int64), positions)

        turn = tf.math.floormod(of(self.rank) - epoch * of(self.more), of(self.size))
        copies = of(self.often) + tf.cast(turn < of(self.more), tf.int64)
        first = tf.repeat(tf.cumsum(copies, exclusive=True), copies)
        index = tf.repeat(tf.range(tf.size(positions, out_type=tf.int64)), copies)
        return index, tf.range(tf.size(index, out_type=tf.int64)) - first


@dataclass(frozen=True, eq=False)
class Balancing:
    """Draws from all classes in turn, so that each batch has as many of one as of another.

    An epoch has as many examples as the split. Each class has an endless sequence of its own: all
    its examples in a random order, then all of them in another. Epochs take it up where the one
    before left it, so that the examples of a class come equally often, and an epoch's choice
    follows from the seed and its number alone.

    Args:
        members: for each class that has any, its examples by their place in the split.
        total: examples in an epoch.
    """

    members: tuple[np.ndarray, ...]
    total: int

    @classmethod
    def of(cls, labels: np.ndarray, num_classes: int) -> Balancing:
        """Returns the balancing of a training split.

        Args:
            labels: (N,) int.
            num_classes: how many classes there are.
        """
        members = (np.flatnonzero(labels == number) for number in range(num_classes))
        return cls(tuple(found for found in members if len(found)), len(labels))

    def draw(
        self, keys: tf.Tensor, seed: tf.Tensor, epoch: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the examples of an epoch, in order.

        Args:
            keys: (N,) uint64, the hash of each example's id.
            seed: () uint64, of the order.
            epoch: () int64.

        Returns:
            Places in the split, and the number of the round through the class that each is drawn
            in, which tells an example's copies apart; (total,) int64 both.
        """
        classes = len(self.members)
        share = -(-self.total // classes)
        drawn = [self._of_class(number, share, keys, seed, epoch) for number in range(classes)]
        # Class after class; of the last round only as many as the epoch has places for.
        places, rounds = (
            tf.reshape(tf.stack(parts, axis=1), [-1])[: self.total]
            for parts in zip(*drawn, strict=True)
        )
        return places, rounds

    def _of_class(
        self, number: int, share: int, keys: tf.Tensor, seed: tf.Tensor, epoch: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what an epoch takes of the sequence of a class, (share,) int64 both."""
        members = tf.constant(self.members[number], tf.int64)
        size = len(self.members[number])
        # How many of the places of an epoch are this class's: the last round is not whole.
        taken = (self.total - number + len(self.members) - 1) // len(self.members)
        first = epoch * taken
        rounds = tf.range(first // size, (first + share - 1) // size + 1)
        order = stateless_random.mix(
            seed, rounds[:, tf.newaxis], tf.gather(keys, members)[tf.newaxis]
        )
        order = tf.argsort(tf.bitcast(order, tf.int64), axis=1, stable=True)
        places = tf.reshape(tf.gather(members, order), [-1])
        start = first % size
        window = slice(start, start + share)
        return places[window], tf.repeat(rounds, size)[window]
