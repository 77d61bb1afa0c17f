import keras
import numpy as np
import pytest

from lensnet.layers import FieldNormalization


@pytest.fixture
def inputs():
    rng = np.random.default_rng(0)
    return (3 + 2 * rng.standard_normal((4, 5, 5, 24))).astype("float32")


def by_field(inputs, order):
    """(fields, everything else), by the definition of the channels' order."""
    fields = inputs.reshape(-1, inputs.shape[-1] // order, order)
    return np.moveaxis(fields, 1, 0).reshape(fields.shape[1], -1)


@pytest.mark.parametrize(("group", "order"), [("c4", 4), ("d4", 8)])
def test_training_uses_the_statistics_of_each_field(inputs, group, order):
    layer = FieldNormalization(group, momentum=0.75, epsilon=1e-3)
    layer.build(inputs.shape)
    fields = inputs.shape[-1] // order
    gamma, beta = np.linspace(0.5, 2, fields), np.linspace(-1, 1, fields)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    outputs = keras.ops.convert_to_numpy(layer(inputs, training=True))
    values = by_field(inputs.astype("float64"), order)
    mean, variance = values.mean(axis=1), values.var(axis=1)
    expected = (values - mean[:, None]) / np.sqrt(variance + 1e-3)[:, None]
    expected = expected * gamma[:, None] + beta[:, None]
    np.testing.assert_allclose(by_field(outputs, order), expected, atol=2e-5)
    moving_mean = keras.ops.convert_to_numpy(layer.moving_mean)
    np.testing.assert_allclose(moving_mean, 0.25 * mean, rtol=1e-5)
    moving_variance = keras.ops.convert_to_numpy(layer.moving_variance)
    np.testing.assert_allclose(moving_variance, 0.75 + 0.25 * variance, rtol=1e-5)


def test_inference_uses_the_moving_statistics_and_changes_nothing(inputs):
    layer = FieldNormalization("c4")
    layer.build(inputs.shape)
    layer.moving_mean.assign(np.arange(6.0))
    layer.moving_variance.assign(1 + np.arange(6.0))
    outputs = keras.ops.convert_to_numpy(layer(inputs, training=False))
    expected = (by_field(inputs, 4) - np.arange(6)[:, None]) / np.sqrt(1 + np.arange(6))[:, None]
    np.testing.assert_allclose(by_field(outputs, 4), expected, atol=1e-4)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.moving_mean), np.arange(6))


def test_a_frozen_layer_does_not_follow_its_batches(inputs):
    layer = FieldNormalization("c4", trainable=False)
    layer(inputs, training=True)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer.moving_mean), np.zeros(6))


def test_it_commutes_with_permuting_a_fields_channels(inputs):
    """Which is what stock batch normalisation does not, once its weights differ."""
    order = [2, 0, 3, 1]

    def permuted(values):
        fields = values.reshape(*values.shape[:-1], 6, 4)
        return fields[..., order].reshape(values.shape)

    def change(layer):
        layer.build(inputs.shape)
        for index, weight in enumerate(layer.weights):
            weight.assign(np.random.default_rng(index).uniform(0.5, 1.5, weight.shape))
        turned_after = permuted(keras.ops.convert_to_numpy(layer(inputs, training=False)))
        turned_before = keras.ops.convert_to_numpy(layer(permuted(inputs), training=False))
        return np.abs(turned_after - turned_before).max()

    assert change(FieldNormalization("c4")) <= 1e-6
    assert change(keras.layers.BatchNormalization()) > 0.1


def test_half_precision_does_not_overflow():
    inputs = np.full((2, 8, 8, 4), 300.0, "float16")
    layer = FieldNormalization("c4", dtype="mixed_float16")
    outputs = keras.ops.convert_to_numpy(layer(inputs, training=True))
    assert outputs.dtype == "float16" and np.abs(outputs).max() < 1e-2


def test_without_scale_and_offset(inputs):
    layer = FieldNormalization("c4", center=False, scale=False)
    layer(inputs)
    assert len(layer.trainable_weights) == 0


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="6 channels are not whole fields of c4"):
        FieldNormalization("c4").build((None, 4, 4, 6))


def test_config_round_trip():
    layer = FieldNormalization("d4", momentum=0.5, epsilon=0.1, gamma_initializer="zeros")
    assert FieldNormalization.from_config(layer.get_config()).get_config() == layer.get_config()
