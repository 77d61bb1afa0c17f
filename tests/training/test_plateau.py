"""Reduction on plateaus decides as Keras's callback, and goes on where a checkpoint left it."""

import keras
import pytest

from lensnet.config.schedules import PlateauSchedule
from lensnet.schedules import Reducible
from lensnet.training.plateau import PlateauReduction

LOSSES = [1.0, 0.8, 0.8, 0.79995, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4, 0.5, 0.5, 0.5]


def made(section, monitor_is_loss=True):
    schedule = Reducible(0.1)
    return PlateauReduction(section, schedule, monitor_is_loss), schedule


def keras_rates(section, values, mode):
    """What `keras.callbacks.ReduceLROnPlateau` makes of them."""
    image = keras.Input((1,))
    model = keras.Model(image, keras.layers.Dense(1)(image))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(
        section.monitor,
        factor=section.factor,
        patience=section.patience,
        mode=mode,
        min_delta=section.min_delta,
        cooldown=section.cooldown,
        min_lr=0.1 * section.minimum_fraction,
    )
    callback.set_model(model)
    callback.on_train_begin()
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {section.monitor: value})
        found.append(float(model.optimizer.learning_rate))
    return found


@pytest.mark.parametrize(
    "options",
    [{"patience": 2}, {"patience": 2, "cooldown": 2}, {"patience": 1, "minimum_fraction": 0.02}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_it_reduces_where_keras_does(options, mode):
    values = LOSSES if mode == "min" else [-value for value in LOSSES]
    section = PlateauSchedule(monitor="val_x", factor=0.5, **options)
    callback, schedule = made(section, mode == "min")
    found = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_x": value})
        found.append(float(schedule(epoch)))
    assert found == pytest.approx(keras_rates(section, values, mode), rel=1e-6)
    assert len(set(found)) > 2, "it reduced more than once"


def test_it_goes_on_where_it_was():
    section = PlateauSchedule(factor=0.5, patience=2, cooldown=1)
    whole, whole_schedule = made(section)
    for epoch, value in enumerate(LOSSES):
        whole.on_epoch_end(epoch, {"val_loss": value})
    for stop in range(1, len(LOSSES)):
        first, first_schedule = made(section)
        for epoch, value in enumerate(LOSSES[:stop]):
            first.on_epoch_end(epoch, {"val_loss": value})
        second, second_schedule = made(section)
        second.restore(first.state())
        second_schedule.factor.assign(first_schedule.factor)
        for epoch, value in enumerate(LOSSES[stop:], start=stop):
            second.on_epoch_end(epoch, {"val_loss": value})
        assert second.state() == whole.state()
        assert float(second_schedule(0)) == float(whole_schedule(0))
