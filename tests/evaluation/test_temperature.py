"""Temperature scaling: what it finds, that models keep it, and when there is nothing to find."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from lensnet.errors import DataError
from lensnet.evaluation.calibration import expected_calibration_error
from lensnet.evaluation.temperature import (
    calibrate,
    fit_temperature,
    uncalibrated,
    with_temperature,
)
from lensnet.layers import GroupAveraged, fold


def classifier(outputs=3):
    """A run's network: pixels to logits to probabilities."""
    keras.utils.set_random_seed(0)
    image = keras.Input((4, 4, 1))
    logits = keras.layers.Dense(outputs, name="head")(keras.layers.Flatten()(image))
    activation = "softmax" if outputs > 1 else "sigmoid"
    last = keras.layers.Activation(activation, dtype="float32", name="probabilities")
    return keras.Model(image, last(logits), name="net")


@dataclasses.dataclass
class Validation:
    """The part of prepared data that a calibration looks at."""

    images: np.ndarray
    labels: np.ndarray

    def examples(self, split):
        assert split == "validation"
        return SimpleNamespace(labels=self.labels)

    def batches(self, split, size):
        for start in range(0, len(self.images), size):
            yield self.images[start : start + size], None


def overconfident(model, factor, number=3000):
    """Images whose classes come true at the probabilities of the model's logits / factor."""
    rng = np.random.default_rng(1)
    images = rng.normal(size=(number, 4, 4, 1)).astype(np.float32)
    true = uncalibrated(np.asarray(model.predict_on_batch(images)), 1 / factor)
    if true.shape[1] == 1:
        return Validation(images, (rng.uniform(size=number) < true[:, 0]).astype(int))
    drawn = (rng.uniform(size=(number, 1)) > true.cumsum(axis=1)).sum(axis=1)
    return Validation(images, drawn.clip(max=true.shape[1] - 1))


@pytest.mark.parametrize("outputs", [1, 3])
def test_finds_what_was_put_in_and_the_saved_model_has_it(outputs, tmp_path):
    model = classifier(outputs)
    data = overconfident(model, 2.5)
    calibrated, found = calibrate(model, data)
    # The likelihood is flat on the scale of 1 / sqrt(N).
    assert found.temperature == pytest.approx(2.5, rel=0.15)
    assert found.log_loss[1] < found.log_loss[0] and not found.is_averaged
    calibrated.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    before, after = (np.asarray(m.predict_on_batch(data.images)) for m in (model, loaded))
    assert expected_calibration_error(data.labels, after) < 0.03
    assert expected_calibration_error(data.labels, before) > 0.06
    # Of the model as it was, the same is said again.
    np.testing.assert_allclose(uncalibrated(after, found.temperature), before, atol=2e-6)
    again, refound = calibrate(loaded, data)
    assert refound.temperature == pytest.approx(found.temperature, rel=1e-5)
    assert len(again.layers) == len(loaded.layers)
    np.testing.assert_allclose(fold(loaded).predict_on_batch(data.images), after, atol=1e-6)
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}


def test_an_averaged_network_is_calibrated_within_its_mean(tmp_path):
    model = classifier()
    averaged = GroupAveraged(model, "d4")
    data = overconfident(averaged, 2.0)
    calibrated, found = calibrate(averaged, data)
    assert found.is_averaged
    calibrated.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    images = data.images[:50]
    softened = GroupAveraged(with_temperature(model, found.temperature), "d4")
    np.testing.assert_allclose(
        loaded.predict_on_batch(images), softened.predict_on_batch(images), atol=1e-6
    )
    own = -np.log(np.asarray(loaded.predict_on_batch(data.images))[range(3000), data.labels])
    assert own.mean() == pytest.approx(found.log_loss[1], rel=1e-4)


def test_of_one_class_nothing_can_be_fitted():
    with pytest.raises(DataError, match="images of one class alone"):
        fit_temperature(np.ones(9, int), np.linspace(-1, 1, 9)[:, None])


def test_a_split_that_is_all_right_has_no_temperature():
    labels = np.arange(20) % 2
    with pytest.raises(DataError, match="each of its images right"):
        fit_temperature(labels, (2.0 * labels - 1)[:, None])
    with pytest.raises(DataError, match="tell nothing"):
        fit_temperature(labels, np.full((20, 1), 9.0))


def test_what_does_not_end_in_probabilities_has_none():
    image = keras.Input((3,))
    with pytest.raises(DataError, match="no logits"):
        with_temperature(keras.Model(image, keras.layers.Dense(2)(image)), 2.0)
