import keras
import numpy as np
import pytest

from lensnet.layers import GroupPool


@pytest.mark.parametrize(
    ("mode", "reduce", "shape"), [("max", np.max, (3, 8)), ("mean", np.mean, (2, 5, 5, 24))]
)
def test_each_field_becomes_one_channel(mode, reduce, shape):
    inputs = np.random.default_rng(0).standard_normal(shape).astype("float32")
    layer = GroupPool("c4", mode=mode)
    outputs = keras.ops.convert_to_numpy(layer(inputs))
    expected = reduce(inputs.reshape(*shape[:-1], -1, 4), axis=-1)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    assert layer.compute_output_shape(shape) == outputs.shape


def test_unknown_mode():
    with pytest.raises(ValueError, match='mode is "max" or "mean"'):
        GroupPool("c4", mode="min")


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="not whole fields of d4"):
        GroupPool("d4")(keras.Input((4, 4, 12)))


def test_config_round_trip():
    layer = GroupPool("d4", mode="mean")
    assert GroupPool.from_config(layer.get_config()).get_config() == layer.get_config()
