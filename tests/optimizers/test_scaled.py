"""Optimizers with a factor a variable are classes that Keras can save and load by name."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from lensnet import optimizers
from lensnet.config.sections import Adam, AdamW
from lensnet.optimizers import ScaledAdam, ScaledAdamW

FACTORS = {"first/kernel": 0.1, "last/kernel": 0.5}


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((6,), name="image")
    hidden = keras.layers.Dense(5, activation="relu", name="first")(image)
    return keras.Model(image, keras.layers.Dense(2, name="last")(hidden))


def batch():
    rng = np.random.default_rng(0)
    return rng.standard_normal((8, 6)).astype("float32"), np.eye(2, dtype="float32")[[0, 1] * 4]


@pytest.mark.parametrize(
    ("section", "expected"), [(Adam(), ScaledAdam), (AdamW(weight_decay=0.2), ScaledAdamW)]
)
def test_the_configuration_round_trips(section, expected):
    schedule = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=10)
    made = optimizers.create(section, schedule, FACTORS)
    assert type(made) is expected
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    assert saved["registered_name"] == f"lensnet>{expected.__name__}"
    again = keras.saving.deserialize_keras_object(saved)
    assert type(again) is expected
    assert again.get_config() == made.get_config()
    assert again.factors == FACTORS


@pytest.mark.parametrize("section", [Adam(), AdamW()])
def test_without_factors_it_is_keras_own_but_for_its_kernel(section):
    made = optimizers.create(section, 0.01)
    kind = type(made).__name__
    assert isinstance(made, getattr(keras.optimizers, kind))
    assert type(made) is getattr(optimizers, kind)


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path):
    """With the moments, the factors and the decay of the optimizer that it was saved with."""
    model = network()
    model.compile(ScaledAdamW(FACTORS, learning_rate=0.01, weight_decay=0.1), "mse")
    model.train_on_batch(*batch())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.train_on_batch(*batch())
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


@pytest.mark.processes
def test_it_loads_where_only_lensnet_is_imported(tmp_path):
    model = network()
    model.compile(ScaledAdam(FACTORS, learning_rate=0.01), "mse")
    model.save(tmp_path / "model.keras")
    code = (
        "import lensnet, keras\n"
        f"model = keras.models.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(sorted(model.optimizer.factors.values()))"
    )
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[0.1, 0.5]", done.stderr[-2000:]
