"""What is done about classes of unequal size, in the training split alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

__all__ = ["Oversampling", "class_weights"]


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns a weight for each class that makes all classes count alike, (num_classes,) float32.

    The mean weight of the examples is 1, so that the size of the loss stays what it is.

    Args:
        labels: (N,) int, each class among them.
        num_classes: how many there are.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = np.bincount(labels, minlength=num_classes)
    return (len(labels) / (num_classes * counts)).astype(np.float32)


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
