"""What benchmarks/training.py times of lensnet, in this process."""

from __future__ import annotations

import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

import lensnet

__all__ = [
    "BATCH",
    "BATCHES",
    "NAME",
    "SIZE",
    "adamw_timers",
    "bare_epoch",
    "fit_epoch",
    "write_files",
]

NAME, SIZE, BATCH = "resnet18", 64, 64
BATCHES = {"training": 64, "validation": 8, "test": 8}
"""Of how many batches a split of the files has images."""

CALLS = 5


def write_files(folder: Path) -> None:
    """Writes `no/` and `sub/` of images for all splits, half of them each."""
    random = np.random.default_rng(0)
    for name in ("no", "sub"):
        (folder / name).mkdir(parents=True)
        for index in range(BATCH * sum(BATCHES.values()) // 2):
            np.save(folder / name / f"{index}.npy", random.random((SIZE, SIZE), "float32"))


def experiment_of(folder: Path, data_dir: Path, epochs: int) -> Any:
    """An experiment on such a folder: AdamW, flips and quarter rotations."""
    from lensnet.config import Experiment

    whole = sum(BATCHES.values())
    splits = {"train": "training", "validation": "validation", "test": "test"}
    return Experiment.model_validate(
        {
            "name": "training",
            "task": "binary",
            "data": {
                "dataset": "image_folder",
                "source_dir": str(folder),
                "data_dir": str(data_dir),
                "splits": {split: BATCHES[part] / whole for split, part in splits.items()},
            },
            "model": {"backbone": NAME},
            "training": {"epochs": epochs, "batch_size": BATCH, "early_stopping": None},
        }
    )


def fit_epoch(folder: Path, data_dir: Path, epochs: int) -> float:
    """Seconds of an epoch of `lensnet fit`, as its history says, after the first of a run.

    Training, validation, the model where it is the best so far, history and checkpoint.
    """
    from lensnet.training import fit

    with tempfile.TemporaryDirectory() as directory:
        run = fit(experiment_of(folder, data_dir, epochs + 1), Path(directory) / "run")
        with run.history_file.open(encoding="utf-8") as stream:
            seconds = [float(row["seconds"]) for row in csv.DictReader(stream)]
    return statistics.mean(seconds[1:])


def bare_epoch() -> Callable[[], float]:
    """Times an epoch's steps of the same network by `train_on_batch`, and its validation.

    The batches lie in memory, ready for the network.
    """
    from lensnet import losses, metrics, models, optimizers, schedules
    from lensnet.models.weight_decay import undecayed_variables

    experiment = experiment_of(Path(), Path(), 10)
    training = experiment.training
    model = lensnet.layers.accelerate(
        models.create(NAME, input_shape=(SIZE, SIZE, 1), num_outputs=1)
    )
    steps = BATCHES["training"]
    schedule = schedules.create(training.schedule, 1e-3, epochs=10, steps_per_epoch=steps)
    model.compile(
        optimizers.create(training.optimizer, schedule, undecayed=undecayed_variables(model)),
        losses.create(training.loss),
        metrics=metrics.create(experiment.task_spec, 2, None),
        jit_compile=False,
    )
    random = np.random.default_rng(0)
    images = random.random((steps, BATCH, SIZE, SIZE, 1), "float32")
    labels = random.integers(0, 2, (steps, BATCH, 1)).astype("float32")

    def run() -> float:
        start = time.perf_counter()
        for batch in zip(images, labels, strict=True):
            model.train_on_batch(*batch)
        for batch in zip(images[: BATCHES["validation"]], labels, strict=False):
            model.test_on_batch(*batch)
        return time.perf_counter() - start

    return run


def adamw_timers(name: str, size: int, batch: int) -> dict[str, Callable[[], float]]:
    """Times AdamW's update of a network and a whole training step, Keras's and ours.

    Args:
        name: of the network.
        size: of its images.
        batch: images in a step.
    """
    return dict(_adamw_timers(name, size, batch))


def _adamw_timers(name: str, size: int, batch: int) -> Iterator[tuple[str, Callable[[], float]]]:
    import keras
    import tensorflow as tf
    from timing import seconds_a_call

    from lensnet.models.weight_decay import undecayed_variables

    images = tf.random.stateless_normal((batch, size, size, 3), (0, 0))
    labels = tf.zeros(batch, tf.int32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for whose, kind in (("Keras", keras.optimizers.AdamW), ("ours", lensnet.optimizers.AdamW)):
        model = lensnet.models.create(name, input_shape=(size, size, 3), num_outputs=5)
        model = lensnet.layers.accelerate(model)
        rate = keras.optimizers.schedules.CosineDecay(1e-4, 10_000)
        optimizer = kind(rate, weight_decay=1e-4)
        optimizer.exclude_from_weight_decay(var_list=undecayed_variables(model))
        model.compile(optimizer, loss, jit_compile=False)
        optimizer.build(model.trainable_variables)
        gradients = [1e-3 * tf.ones(variable.shape) for variable in model.trainable_variables]
        update = tf.function(
            lambda o=optimizer, g=gradients, m=model: o.apply(g, m.trainable_variables)
        )
        step = tf.function(model.train_step, jit_compile=False, reduce_retracing=True)

        def time_update(update: Any = update, optimizer: Any = optimizer) -> float:
            def call() -> None:
                update()
                int(optimizer.iterations)

            return seconds_a_call(call, 4 * CALLS)

        def time_step(step: Any = step) -> float:
            return seconds_a_call(lambda: float(step((images, labels))["loss"]), CALLS)

        yield f"update, {whose}", time_update
        yield f"step, {whose}", time_step
