"""What benchmarks/layers.py and compare.py time of the layers, a cell each, in TensorFlow.

Only public names of lensnet are used, so that any of its revisions can be measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import seconds_a_call

from lensnet.layers import GroupConv2D, RotationalConv2D, fold
from lensnet.symmetry import Group

__all__ = ["CALLS", "CASES", "inference", "timer_of", "training_step"]

CALLS = 5


def case(symmetry: str, kernel_size: int, channels: int) -> dict[str, Any]:
    """One case: so many channels in all, in and out, at 32 px and batch 32."""
    return {
        "symmetry": symmetry,
        "kernel_size": kernel_size,
        "channels": channels,
        "size": 32,
        "batch": 32,
    }


def name_of(case: dict[str, Any]) -> str:
    """A case's part of a cell's name."""
    return "{symmetry}/{kernel_size}x{kernel_size}/{channels}".format(**case)


REGULAR = [
    case("c4", 3, 64),
    case("d4", 3, 64),
    case("c8", 5, 64),
    case("c4", 1, 256),
    case("d4", 1, 256),
]
ROTATIONAL = case("rot4", 3, 64)
BUILDING = [case("c8", 5, 256), case("c16", 5, 256)]

CASES = {
    **{f"build/{name_of(one)}": one for one in BUILDING},
    **{
        f"{what}/{name_of(one)}": one
        for what in ("step", "inference")
        for one in [*REGULAR, ROTATIONAL]
    },
}
"""By cell: `build`, `step` or `inference`, symmetry, side of the filter, and channels."""


def timer_of(cell: str) -> Callable[[], float]:
    """Makes what a cell measures, and gives what times it once, in seconds."""
    what, case = cell.split("/")[0], CASES[cell]
    if what == "build":
        return lambda: build_seconds(case)
    return {"step": training_step, "inference": inference}[what](case)


def build_seconds(case: dict[str, Any]) -> float:
    """Seconds to make and build a layer, nothing of it cached."""
    start = time.perf_counter()
    layer_of(case).build((None, case["size"], case["size"], case["channels"]))
    return time.perf_counter() - start


def layer_of(case: dict[str, Any]) -> keras.Layer:
    """The Keras layer of a case."""
    symmetry, channels, size = case["symmetry"], case["channels"], case["kernel_size"]
    if symmetry == "none":
        return keras.layers.Conv2D(channels, size, padding="same")
    if symmetry.startswith("rot"):
        return RotationalConv2D(channels, size, rotations=int(symmetry[3:]))
    return GroupConv2D(channels // Group.parse(symmetry).order, size, symmetry)


def images_of(case: dict[str, Any]) -> tf.Tensor:
    shape = (case["batch"], case["size"], case["size"], case["channels"])
    return tf.constant(np.random.default_rng(0).standard_normal(shape).astype("float32"))


def training_step(case: dict[str, Any]) -> Callable[[], float]:
    """Times forward and backward, to the input and to the weights."""
    layer, images = layer_of(case), images_of(case)
    layer.build(images.shape)
    upstream = images_of(case)

    @tf.function(jit_compile=False)
    def step(images: tf.Tensor) -> list[tf.Tensor]:
        weights = [weight.value for weight in layer.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
        gradients = tape.gradient(outputs, [images, *weights], upstream)
        # The outputs too, or the graph would leave out the forward pass of a plain convolution,
        # whose gradients do not need it.
        return [*gradients, outputs]

    return lambda: seconds_a_call(lambda: step(images)[-1][0, 0, 0].numpy(), CALLS)


def inference(case: dict[str, Any]) -> Callable[[], float]:
    """Times the forward pass of the folded layer."""
    images = images_of(case)
    image = keras.Input(images.shape[1:])
    model = fold(keras.Model(image, layer_of(case)(image)))

    @tf.function(jit_compile=False)
    def call(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)

    return lambda: seconds_a_call(lambda: call(images)[0, 0, 0].numpy(), CALLS)
