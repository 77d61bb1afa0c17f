"""Random numbers that are pure functions of (seed, epoch, example), as TensorFlow operations.

There is no state to save: an epoch's draws are the same whether the epochs before it were run or
not, in whatever order and on however many threads. The functions are those of
`lensnet.data.hashing`.
"""

from __future__ import annotations

import tensorflow as tf

from lensnet.data.hashing import FINALISER, GOLDEN, stable_hash

__all__ = ["bits", "integers", "mix", "normal", "stream", "uniform"]


def mix(*numbers: tf.Tensor | int) -> tf.Tensor:
    """Returns 64 bits that follow from a sequence of numbers, element by element.

    Args:
        numbers: integers, or integer tensors of shapes that broadcast.

    Returns:
        A uint64 tensor.
    """
    state = tf.constant(0, tf.uint64)
    for number in numbers:
        state = _finalise(tf.bitwise.bitwise_xor(state, bits(number)) + _constant(GOLDEN))
    return state


def bits(number: tf.Tensor | int) -> tf.Tensor:
    """Returns an integer, or a tensor of them, as uint64 with the same bits."""
    if isinstance(number, int):
        return _constant(number % 2**64)
    return tf.cast(number, tf.uint64)


def stream(seeds: tf.Tensor, name: str) -> tf.Tensor:
    """Returns seeds for one use of an example, independent of those for any other use.

    Args:
        seeds: (N,) uint64, one an example.
        name: the use, such as the name of an augmentation.
    """
    return mix(seeds, stable_hash(name))


def uniform(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """Returns uniform numbers from 0 up to, but without, 1.

    Args:
        seeds: (N,) uint64, one an example.
        count: how many for each.

    Returns:
        (N, count) float32.
    """
    drawn = mix(seeds[:, tf.newaxis], tf.range(count, dtype=tf.int64)[tf.newaxis, :])
    # The 24 highest bits: as many as a float32 holds.
    return tf.cast(tf.bitwise.right_shift(drawn, _constant(40)), tf.float32) * 2.0**-24


def integers(seeds: tf.Tensor, power: int) -> tf.Tensor:
    """Returns uniform integers from 0 up to, but without, 2 ** power; (N,) int32.

    Args:
        seeds: (N,) uint64, one an example.
        power: at most 31.
    """
    return tf.cast(tf.bitwise.right_shift(mix(seeds), _constant(64 - power)), tf.int32)


def normal(seeds: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Returns numbers from a Gaussian of mean 0 and standard deviation 1.

    Args:
        seeds: (N,) uint64, one an example.
        shape: of what is drawn for each.

    Returns:
        (N, *shape) float32.
    """
    return tf.map_fn(
        lambda pair: tf.random.stateless_normal(shape, pair, alg="philox"),
        tf.bitcast(seeds, tf.int32),
        fn_output_signature=tf.TensorSpec(shape, tf.float32),
    )


def _constant(number: int) -> tf.Tensor:
    return tf.constant(number, tf.uint64)


def _finalise(state: tf.Tensor) -> tf.Tensor:
    for shift, factor in FINALISER:
        state = tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, _constant(shift)))
        if factor is not None:
            state = state * _constant(factor)
    return state
