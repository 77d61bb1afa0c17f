"""What benchmarks/zoo.py and compare.py time of the zoo, a cell each, in TensorFlow.

Only public names of lensnet are used, so that any of its revisions can be measured.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any

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

Timer = Callable[[], float]

SIZE = 128
BATCH = {"training": 32, "inference": 64, "one": 1}
CALLS = 2
TIMED = ("training", "inference")

NETWORKS = {
    "resnet50": "ResNet50",
    "efficientnet_b0": "EfficientNetB0",
    "mobilenetv3_small_100": "MobileNetV3Small",
    "densenet121": "DenseNet121",
    "convnext_tiny": "ConvNeXtTiny",
    "resnext50_32x4d": None,
    "vit_small_patch16_224": None,
    "vit_tiny_patch16_224": None,
}
"""Our name (and timm's), and what keras.applications calls it."""

SYMMETRIC = [
    ("resnet18", "c4"),
    ("resnet18", "d4"),
    ("efficientnet_b0", "c4"),
    ("efficientnet_b0", "d4"),
    ("vit_small_patch16_224", "c4"),
    ("vit_small_patch16_224", "d4"),
]
BUILT = ["resnet50", "densenet201"]

CELLS = [
    *(f"create/{name}" for name in BUILT),
    *(f"{what}/{name}/none" for what in TIMED for name in NETWORKS),
    *(f"{what}/{name}/{symmetry}" for what in TIMED for name, symmetry in SYMMETRIC),
]
"""`create/NETWORK`, or `training` or `inference`, network and symmetry. (Cells with `one`, which is
inference of one image, are those of benchmarks/onednn.py.)"""


def timer_of(cell: str) -> Callable[[], float]:
    """Makes what a cell measures, and gives what times it once, in seconds."""
    what, name, *symmetry = cell.split("/")
    return (lambda: creation(name)) if what == "create" else our_timer(what, name, *symmetry)


def our_timer(what: str, name: str, symmetry: str = "none") -> Callable[[], float]:
    """Times a network of ours."""
    model = lensnet.models.create(
        name, input_shape=(SIZE, SIZE, 3), num_outputs=5, symmetry=symmetry
    )
    if what != "training":
        model = lensnet.layers.fold(model)
    # As `lensnet fit` does, in revisions whose networks are not accelerated from the start.
    accelerate = getattr(lensnet.layers, "accelerate", None)
    # So does it take an AdamW of ours, in revisions that have one.
    adamw = getattr(lensnet.optimizers, "AdamW", keras.optimizers.AdamW)
    return _timer(what, model if accelerate is None else accelerate(model), adamw)


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


def _timer(what: str, model: keras.Model, adamw: Any = keras.optimizers.AdamW) -> Timer:
    return _training(model, adamw) if what == "training" else _inference(model, BATCH[what])


def _training(model: keras.Model, adamw: Any) -> Timer:
    """Times a step of `fit`: forward, backward, AdamW."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adamw(1e-4), loss, jit_compile=False)
    model.make_train_function()
    batch = _images(BATCH["training"]), tf.zeros(BATCH["training"], tf.int32)
    step = tf.function(model.train_step, jit_compile=False, reduce_retracing=True)
    return lambda: seconds_a_call(lambda: float(step(batch)["loss"]), CALLS)


def _inference(model: keras.Model, size: int) -> Callable[[], float]:
    """Times the forward pass."""
    batch = _images(size)
    calls = CALLS if size > 1 else 20 * CALLS
    call = tf.function(lambda images: model(images, training=False), jit_compile=False)
    return lambda: seconds_a_call(lambda: call(batch)[0, 0].numpy(), calls)


def _images(batch: int) -> tf.Tensor:
    rng = np.random.default_rng(0)
    return tf.constant(rng.standard_normal((batch, SIZE, SIZE, 3)).astype("float32"))
