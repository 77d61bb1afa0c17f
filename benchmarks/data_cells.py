"""What benchmarks/data.py and compare.py time of the data, a cell each.

Only public names of lensnet are used, so that any of its revisions can be measured.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
from timing import seconds_a_call

__all__ = [
    "AUGMENTATIONS",
    "BATCH",
    "CELLS",
    "CORES",
    "SIZE",
    "epoch",
    "experiment_of",
    "preparation",
    "timer_of",
    "training_step",
    "use_cores",
    "write_files",
]

SIZE, BATCH, CORES = 150, 64, 2

AUGMENTATIONS: dict[str, list[Any]] = {
    "plain": [],
    "flips and quarter rotations": ["flip", "rotate90"],
    "flips and rotations": ["flip", {"rotate": {"degrees": 15}}],
    "flips and rotations, bilinear": [
        "flip",
        {"rotate": {"degrees": 15, "interpolation": "bilinear"}},
    ],
    "flips, rotations, shifts, zooms, noise": [
        "flip",
        {"rotate": {"degrees": 180}},
        {"shift": {"pixels": 3}},
        "zoom",
        "noise",
    ],
}
"""What is done to the images of an epoch, by the name of the row."""

CELLS = ["prepare", *(f"epoch/{name}" for name in AUGMENTATIONS)]
"""Preparing all files, and an epoch of each augmentation."""


def use_cores() -> None:
    """Keeps this process, and those it starts, to `CORES` cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def timer_of(cell: str, folder: Path, data_dir: Path) -> Callable[[], float]:
    """Gives what times a cell once, in seconds an image.

    Args:
        cell: of `CELLS`.
        folder: of `write_files`.
        data_dir: where what is prepared of it goes.
    """
    what, *name = cell.split("/")
    if what == "prepare":
        return lambda: preparation(folder, data_dir)
    return epoch(folder, data_dir, AUGMENTATIONS[name[0]], [])


def preparation(folder: Path, data_dir: Path) -> float:
    """Prepares a folder anew; seconds an image."""
    from lensnet.data import prepare

    shutil.rmtree(data_dir, ignore_errors=True)
    # The files stay in the page cache; what is still to be written would slow down all.
    os.sync()
    start = time.perf_counter()
    data = prepare(experiment_of(folder, data_dir, []))
    seconds = time.perf_counter() - start
    splits = ("train", "validation", "test")
    return seconds / sum(sum(data.counts(split).values()) for split in splits)


def write_files(folder: Path, count: int, distinct: int | None = None) -> None:
    """Writes `no/` and `sub/` of images, half of them each.

    Args:
        folder: to be made.
        count: images.
        distinct: after how many files of a folder the others are links to these; None for no link.
    """
    random = np.random.default_rng(0)
    for name in ("no", "sub"):
        (folder / name).mkdir(parents=True)
        for index in range(count // 2):
            path = folder / name / f"{index}.npy"
            if distinct is None or index < distinct:
                np.save(path, random.random((SIZE, SIZE)))
            else:
                path.hardlink_to(folder / name / f"{index % distinct}.npy")


def experiment_of(folder: Path, data_dir: Path, augmentation: list[Any]) -> Any:
    """An experiment on a folder, nearly all of it for training."""
    from lensnet.config import Experiment

    return Experiment.model_validate(
        {
            "name": "data",
            "task": "binary",
            "data": {
                "dataset": "image_folder",
                "source_dir": str(folder),
                "data_dir": str(data_dir),
                "splits": {"train": 0.98, "validation": 0.01, "test": 0.01},
                "augmentation": augmentation,
            },
            "model": {"backbone": "resnet18"},
        }
    )


def epoch(
    folder: Path, data_dir: Path, augmentation: list[Any], cpu_seconds: list[float]
) -> Callable[[], float]:
    """Times an epoch of prepared data; seconds an image, and those of the processor noted too."""
    from lensnet.data import prepare

    data = prepare(experiment_of(folder, data_dir, augmentation))

    def run() -> float:
        start, start_cpu = time.perf_counter(), time.process_time()
        images = sum(len(batch) for batch, _ in data.training_batches(BATCH, epochs=1))
        cpu_seconds.append((time.process_time() - start_cpu) / images)
        return (time.perf_counter() - start) / images

    return run


def training_step() -> Callable[[], float]:
    """Times a training step of a resnet18 on a batch that is there already; seconds an image."""
    import keras
    import tensorflow as tf

    import lensnet

    model = lensnet.models.create("resnet18", input_shape=(SIZE, SIZE, 1), num_outputs=1)
    model.compile(keras.optimizers.AdamW(1e-3), "binary_crossentropy", jit_compile=False)
    images = np.random.default_rng(0).random((BATCH, SIZE, SIZE, 1), "float32")
    batch = tf.constant(images), tf.zeros((BATCH, 1))
    step = tf.function(model.train_step)
    return lambda: seconds_a_call(lambda: float(step(batch)["loss"]), 2) / BATCH
