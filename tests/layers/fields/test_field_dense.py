import keras
import numpy as np
import pytest

from lensnet.layers import FieldDense, FieldScale, GroupConv2D, fold
from lensnet.symmetry import Group
from lensnet.testing import randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def rows(channels=24):
    return np.random.default_rng(0).standard_normal((2, 1, 5, channels)).astype("float32")


@pytest.mark.parametrize("group_name", ["c4", "d4", "d8"])
def test_definition(group_name):
    """`out[h] = sum_j w(h^-1 j) in[j] + b`."""
    group, fields_in, fields = Group.parse(group_name), 3, 2
    inputs = rows(fields_in * group.order)
    layer = FieldDense(group_name, fields)
    layer.build(inputs.shape)
    randomize(layer)
    kernel, bias = layer.get_weights()
    given = inputs.reshape(2, 1, 5, fields_in, group.order)
    expected = np.zeros((2, 1, 5, fields, group.order)) + bias[:, None]
    for h in range(group.order):
        for j in range(group.order):
            weights = kernel[group.product(group.inverse(h), j)]
            expected[..., h] += given[..., j] @ weights
    actual = numpy(layer(inputs))
    np.testing.assert_allclose(actual, expected.reshape(actual.shape), atol=1e-5)


def test_it_is_a_pointwise_group_convolution():
    dense, conv = FieldDense("d4", 4), GroupConv2D(4, 1, "d4")
    dense(rows())
    conv(rows())
    randomize(dense)
    conv.set_weights([dense.get_weights()[0][None, None], dense.get_weights()[1]])
    np.testing.assert_allclose(numpy(dense(rows())), numpy(conv(rows())), atol=1e-5)


def test_saved_and_folded_with_the_scale_behind(tmp_path):
    """Rows and maps: the scale is absorbed through the reshape between them."""
    row = keras.Input((1, 5, 24))
    x = FieldDense("d4", 2, name="dense")(keras.ops.reshape(row, (-1, 24)))
    x = FieldScale("d4", name="scale")(keras.ops.reshape(x, (-1, 1, 5, 16)))
    model = keras.Model(row, x)
    randomize(model)
    expected = numpy(model(rows()))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again(rows())), expected)
    folded = fold(model)
    np.testing.assert_allclose(numpy(folded(rows())), expected, atol=1e-6)
    kinds = [type(operation).__name__ for operation in folded.operations]
    assert kinds == ["InputLayer", "Reshape", "Dense", "Reshape"]


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="12 channels are not whole fields of d4"):
        FieldDense("d4", 2).build((None, 12))
