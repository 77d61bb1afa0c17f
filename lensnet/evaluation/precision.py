"""A trained model in single precision, whatever it was trained in.

Rotating an image permutes what a symmetric network computes, and the order of a sum changes its
rounding. In float32 that moves an answer by less than 1e-5 of the largest; half precision keeps 8
or 11 bits of a number, and TensorFloat-32, in which TensorFlow multiplies float32 on an NVIDIA GPU
of Ampere or later, 11.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from lensnet.layers import accelerate

__all__ = ["in_float32", "in_full_float32"]

_OTHER_POLICIES = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


def in_float32(model: keras.Model) -> keras.Model:
    """Returns a model that computes in float32, with the same weights.

    A mixed policy keeps weights in float32: nothing of them is lost in training, and none is made
    up here.

    Args:
        model: of any policy; where all its layers compute in float32 it is returned itself.

    Example:

    >>> image = keras.Input((4,))
    >>> model = keras.Model(image, keras.layers.Dense(1, dtype="mixed_bfloat16")(image))
    >>> in_float32(model).output.dtype, model.output.dtype
    ('float32', 'bfloat16')
    """
    config = keras.saving.serialize_keras_object(model)
    changed = _changed(config)
    if changed == config:
        return model
    single = keras.saving.deserialize_keras_object(changed)
    single.set_weights(model.get_weights())
    return single


@contextlib.contextmanager
def in_full_float32(model: keras.Model) -> Iterator[keras.Model]:
    """Gives a model in float32, and has no GPU multiply its numbers in TensorFloat-32 meanwhile."""
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield accelerate(in_float32(model))
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def _changed(config: Any) -> Any:
    """Returns a configuration in which every layer's policy is float32."""
    if isinstance(config, dict):
        if str(config.get("class_name")).endswith("DTypePolicy"):
            return {**config, "config": _named_float32(config["config"])}
        return {
            key: "float32" if key == "dtype" and value in _OTHER_POLICIES else _changed(value)
            for key, value in config.items()
        }
    if isinstance(config, list | tuple):
        return type(config)(map(_changed, config))
    return config


def _named_float32(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "name": "float32"} if config.get("name") in _OTHER_POLICIES else config
