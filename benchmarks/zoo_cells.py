"""What benchmarks/zoo.py and compare.py time of the zoo, a cell each, in TensorFlow.

Only public names of lensnet are used, so that any of its revisions can be measured.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import seconds_a_call

import lensnet

__all__ = [
    "BATCH",
    "BUILT",
    "CALLS",
    "CELLS",
    "NETWORKS",
    "SIZE",
    "SYMMETRIC",
    "forget",
    "our_timer",
    "their_timer",
    "timer_of",
]

SIZE = 128
BATCH = {"training": 32, "inference": 64}
CALLS = 2

NETWORKS = {
    "resnet50": "ResNet50",
    "efficientnet_b0": "EfficientNetB0",
    "mobilenetv3_small_100": "MobileNetV3Small",
    "densenet121": "DenseNet121",
    "convnext_tiny": "ConvNeXtTiny",
    "resnext50_32x4d": None,
}
"""Our name (and timm's), and what keras.applications calls it."""

SYMMETRIC = [
    ("resnet18", "c4"),
    ("resnet18", "d4"),
    ("efficientnet_b0", "c4"),
    ("efficientnet_b0", "d4"),
]
BUILT = ["resnet50", "densenet201"]

CELLS = [
    *(f"create/{name}" for name in BUILT),
    *(f"{what}/{name}/none" for what in BATCH for name in NETWORKS),
    *(f"{what}/{name}/{symmetry}" for what in BATCH for name, symmetry in SYMMETRIC),
]
"""`create/NETWORK`, or `training` or `inference`, network and symmetry."""


def timer_of(cell: str) -> Callable[[], float]:
    """Makes what a cell measures, and gives what times it once, in seconds."""
    what, name, *symmetry = cell.split("/")
    return (lambda: creation(name)) if what == "create" else our_timer(what, name, *symmetry)


def our_timer(what: str, name: str, symmetry: str = "none") -> Callable[[], float]:
    """Times a network of ours."""
    model = lensnet.models.create(
        name, input_shape=(SIZE, SIZE, 3), num_outputs=5, symmetry=symmetry
    )
    if what == "inference":
        model = lensnet.layers.fold(model)
    # As `lensnet fit` does, in revisions whose networks are not accelerated from the start.
    accelerate = getattr(lensnet.layers, "accelerate", None)
    return _timer(what, model if accelerate is None else accelerate(model))


def their_timer(what: str, name: str) -> Callable[[], float]:
    """Times a network of keras.applications, giving logits."""
    make = getattr(keras.applications, NETWORKS[name] or name)
    shape = (SIZE, SIZE, 3)
    return _timer(
        what, make(weights=None, input_shape=shape, classes=5, classifier_activation=None)
    )


def creation(name: str) -> float:
    """Seconds that it takes to make a network."""
    forget()
    start = time.perf_counter()
    lensnet.models.create(name, input_shape=(SIZE, SIZE, 3), num_outputs=5)
    return time.perf_counter() - start


def forget() -> None:
    """Lets go of the models made before."""
    keras.backend.clear_session()
    gc.collect()


def _timer(what: str, model: keras.Model) -> Callable[[], float]:
    return {"training": _training, "inference": _inference}[what](model)


def _training(model: keras.Model) -> Callable[[], float]:
    """Times a step of `fit`: forward, backward, AdamW."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-4), loss, jit_compile=False)
    model.make_train_function()
    batch = _images(BATCH["training"]), tf.zeros(BATCH["training"], tf.int32)
    step = tf.function(model.train_step, jit_compile=False, reduce_retracing=True)
    return lambda: seconds_a_call(lambda: float(step(batch)["loss"]), CALLS)


def _inference(model: keras.Model) -> Callable[[], float]:
    """Times the forward pass."""
    batch = _images(BATCH["inference"])
    call = tf.function(lambda images: model(images, training=False), jit_compile=False)
    return lambda: seconds_a_call(lambda: call(batch)[0, 0].numpy(), CALLS)


def _images(batch: int) -> tf.Tensor:
    rng = np.random.default_rng(0)
    return tf.constant(rng.standard_normal((batch, SIZE, SIZE, 3)).astype("float32"))
