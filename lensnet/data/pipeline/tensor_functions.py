"""The functions that preprocessing is made of, under the names that they have in `keras.ops`.

Written against these, the same arithmetic runs on TensorFlow's tensors, in a data pipeline or a
traced function, and on Keras's symbolic ones, in a model that needs no lensnet.
"""

from __future__ import annotations

from types import SimpleNamespace

import tensorflow as tf

__all__ = ["TENSORFLOW"]

TENSORFLOW = SimpleNamespace(
    abs=tf.abs,
    clip=tf.clip_by_value,
    divide_no_nan=tf.math.divide_no_nan,
    log=tf.math.log,
    matmul=tf.matmul,
    max=tf.reduce_max,
    maximum=tf.maximum,
    mean=tf.reduce_mean,
    min=tf.reduce_min,
    minimum=tf.minimum,
    reshape=tf.reshape,
    sign=tf.sign,
    sqrt=tf.sqrt,
    square=tf.square,
    tile=tf.tile,
    top_k=tf.math.top_k,
    transpose=tf.transpose,
)
"""What is called with arguments that mean the same in both."""
