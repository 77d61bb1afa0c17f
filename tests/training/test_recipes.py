"""Every optimizer, schedule and loss trains a small network, compiled as `fit` compiles one."""

import itertools
import typing

import keras
import numpy as np
import pytest

from lensnet import losses, optimizers, schedules
from lensnet.config.losses import Huber, Loss
from lensnet.config.optimizers import Optimizer, Ranger
from lensnet.config.schedules import PlateauSchedule, Schedule
from lensnet.models.weight_decay import undecayed_variables


def sections_of(union):
    return [kind() for kind in typing.get_args(typing.get_args(union)[0])]


OPTIMIZERS, SCHEDULES, LOSSES = map(sections_of, (Optimizer, Schedule, Loss))
# As many as there are of the most; the others come again.
RECIPES = list(zip(OPTIMIZERS, itertools.cycle(SCHEDULES), itertools.cycle(LOSSES), strict=False))
OUTPUTS = {"gaussian_nll": 2, "categorical_crossentropy": 3, "categorical_focal_crossentropy": 3}


def data_for(loss):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(16, 6)).astype("float32")
    if loss.name.startswith("categorical"):
        return images, np.eye(3, dtype="float32")[np.argmax(images[:, :3], axis=1)]
    if loss.name.startswith("binary"):
        return images, (images[:, :1] > 0).astype("float32")
    return images, images[:, :1]


@pytest.mark.parametrize(
    ("optimizer", "schedule", "loss"), RECIPES, ids=lambda section: section.name
)
def test_a_recipe_trains(optimizer, schedule, loss):
    keras.utils.set_random_seed(0)
    image = keras.Input((6,))
    outputs = keras.layers.Dense(OUTPUTS.get(loss.name, 1))(
        keras.layers.BatchNormalization()(image)
    )
    model = keras.Model(image, outputs)
    # Each learns something within a few steps at a rate that suits such a network.
    rate = {"adadelta": 1.0, "adagrad": 0.1, "sgd": 0.1, "adafactor": 0.1}.get(optimizer.name, 0.02)
    model.compile(
        optimizers.create(
            optimizer,
            schedules.create(schedule, rate, epochs=5, steps_per_epoch=4),
            undecayed=undecayed_variables(model),
        ),
        losses.create(loss),
        jit_compile=False,
    )
    batch = data_for(loss)
    values = []
    for _ in range(20):
        model.reset_metrics()
        values.append(float(model.train_on_batch(*batch)))
    assert np.isfinite(values).all()
    assert values[-1] < values[0]


def test_everything_at_once_in_half_precision():
    """Scaled losses around an optimizer of ours, with gradients that are summed and bounded."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        image = keras.Input((6,))
        model = keras.Model(image, keras.layers.Dense(1, dtype="float32")(image))
        schedule = schedules.create(PlateauSchedule(), 0.02, epochs=5, steps_per_epoch=4)
        ranger = optimizers.create(
            Ranger(clip_norm=1.0),
            schedule,
            gradient_accumulation_steps=2,
        )
        model.compile(ranger, losses.create(Huber()), jit_compile=False)
    finally:
        keras.config.set_dtype_policy(before)
    assert type(model.optimizer).__name__ == "LossScaleOptimizer"
    values = [float(model.train_on_batch(*data_for(Huber()))) for _ in range(8)]
    assert np.isfinite(values).all() and values[-1] < values[0]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
