"""Adam's step by TensorFlow's own kernel, which `keras.ops` does not reach.

The one file of the optimizers that names a backend. It imports TensorFlow only where Keras runs on
it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.devices import on_cpus_alone

__all__ = ["decay_weights", "has_adam_kernel", "take_adam_steps"]


def has_adam_kernel(variables: Sequence[Any], gradients: Sequence[Any]) -> bool:
    """Whether `take_adam_steps` takes these: dense, of float32 or float64, on one CPU.

    Not where a `tf.distribute` strategy may keep a variable in several places: that of one device
    keeps it in one.

    Args:
        variables: of Keras, or what they hold.
        gradients: one for each.
    """
    if keras.backend.backend() != "tensorflow" or not on_cpus_alone():
        return False
    import tensorflow as tf

    if tf.distribute.has_strategy() and not isinstance(
        tf.distribute.get_strategy(), tf.distribute.OneDeviceStrategy
    ):
        return False
    return all(
        keras.backend.standardize_dtype(variable.dtype) in ("float32", "float64")
        for variable in variables
    ) and all(isinstance(gradient, tf.Tensor) for gradient in gradients)


def take_adam_steps(
    variables: Sequence[Any],
    gradients: Sequence[Any],
    momentums: Sequence[Any],
    velocities: Sequence[Any],
    learning_rate: Any,
    step: Any,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> None:
    """Takes the step of `keras.optimizers.Adam` in each variable, with one pass over memory.

    Keras goes over it for each operation, and works out for each variable anew what is the same for
    all: the powers of the decays. The kernel takes `1 - beta` of a rounded `beta`, which in single
    precision is 1e-5 from what Keras multiplies squares by; rate and epsilon make up for that.

    Args:
        variables: where `has_adam_kernel` holds; they change, as do the moments.
        gradients: one for each.
        momentums, velocities: the moving means of gradients and of their squares.
        learning_rate: of this step.
        step: its number, from 1.
        beta_1, beta_2: decays of the moving means.
        epsilon: added to the root of the mean square.
    """
    import tensorflow as tf

    by_type: dict[str, dict[str, Any]] = {}
    for variable, gradient, momentum, velocity in zip(
        variables, gradients, momentums, velocities, strict=True
    ):
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if dtype not in by_type:
            number = ops.cast(step, dtype)
            larger = ops.sqrt(_excess(beta_2, number, dtype))
            by_type[dtype] = {
                "beta1_power": ops.power(ops.cast(beta_1, dtype), number),
                "beta2_power": ops.power(ops.cast(beta_2, dtype), number),
                "lr": ops.cast(learning_rate, dtype) * larger / _excess(beta_1, number, dtype),
                "beta1": ops.cast(beta_1, dtype),
                "beta2": ops.cast(beta_2, dtype),
                "epsilon": ops.cast(epsilon, dtype) * larger,
            }
        tf.raw_ops.ResourceApplyAdam(
            var=_resource(variable),
            m=_resource(momentum),
            v=_resource(velocity),
            grad=ops.cast(gradient, dtype),
            **by_type[dtype],
        )


def _excess(beta: float, step: Any, dtype: str) -> Any:
    """How many times as large as Keras's a moving mean is that the kernel keeps, after some steps.

    Both are `1 - beta^t` of what they are means of, with a `beta` that was rounded in two ways.
    """
    rounding = np.dtype(dtype).type
    ours, theirs = float(rounding(beta)), 1 - float(rounding(1 - beta))
    if ours == theirs or min(ours, theirs) <= 0:
        return ops.ones((), dtype)
    return ops.expm1(step * math.log(ours)) / ops.expm1(step * math.log(theirs))


def decay_weights(variables: Sequence[Any], learning_rate: Any, weight_decay: float) -> None:
    """Takes from each variable its share, `learning_rate * weight_decay`, before its step.

    As Keras does, but that the share is worked out once.

    Args:
        variables: where `has_adam_kernel` holds, those alone that decay.
        learning_rate: of this step.
        weight_decay: of the optimizer.
    """
    shares: dict[str, Any] = {}
    for variable in variables:
        dtype = keras.backend.standardize_dtype(variable.dtype)
        if dtype not in shares:
            shares[dtype] = ops.cast(learning_rate, dtype) * ops.cast(weight_decay, dtype)
        own = _own(variable)
        own.assign_sub(own * shares[dtype])


def _own(variable: Any) -> Any:
    """TensorFlow's variable in Keras's."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _resource(variable: Any) -> Any:
    return _own(variable).handle
