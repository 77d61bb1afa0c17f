"""Which devices train, in which precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from lensnet.errors import ConfigurationError
from lensnet.training.cluster import check_cluster
from lensnet.training.workers import create_multi_worker_strategy

__all__ = ["create_strategy", "dtype_policy", "jit_compile"]


def create_strategy(name: str) -> Any:
    """Makes the `tf.distribute` strategy that `training.strategy` names.

    Raises:
        ConfigurationError: the strategy needs devices that are not here.
    """
    import tensorflow as tf

    if name == "multi_worker":
        # Before any device is touched, or the workers' collective operations come too late.
        return create_multi_worker_strategy(check_cluster())
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
    return _STRATEGIES[name](tf, gpus)


def _one_device(tf: Any, gpus: list[Any]) -> Any:
    return tf.distribute.OneDeviceStrategy(gpus[0].name if gpus else "/cpu:0")


def _mirrored(tf: Any, gpus: list[Any]) -> Any:
    devices = gpus or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy(
        [device.name for device in devices],
        # NCCL joins GPUs; anything else goes through a plain sum.
        cross_device_ops=None if gpus else tf.distribute.ReductionToOneDevice(),
    )


def _tpu(tf: Any, gpus: list[Any]) -> Any:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except Exception as error:  # the resolver raises whatever its transport does
        raise ConfigurationError(
            f"training.strategy is tpu, but no TPU answers here ({type(error).__name__}). Allowed "
            "on this machine: auto, one_device, mirrored."
        ) from None
    return tf.distribute.TPUStrategy(resolver)


_STRATEGIES = {
    "one_device": _one_device,
    "mirrored": _mirrored,
    "tpu": _tpu,
}


def jit_compile(setting: bool | str, strategy: Any) -> bool:
    """Whether to compile by XLA: on a CPU it is many times slower for convolutions.

    Args:
        setting: `training.jit_compile`.
        strategy: of `tf.distribute`. With several GPUs Keras compiles a step as a whole, with the
            sums over replicas that XLA does not have.
    """
    import tensorflow as tf

    if isinstance(setting, bool):
        return setting
    if tf.config.list_logical_devices("TPU"):
        return True
    return bool(tf.config.list_logical_devices("GPU")) and strategy.num_replicas_in_sync == 1


@contextlib.contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Builds layers in a precision, and gives the process its own back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
