"""Positions and tokens of regular fields, against their definitions."""

import keras
import numpy as np
import pytest

from lensnet.layers import FieldPositionBias, FieldPositionEmbedding, FieldTokens, fold
from lensnet.symmetry import Group
from lensnet.testing import randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def built(layer, shape):
    layer.build(shape)
    randomize(layer)
    return layer


@pytest.mark.parametrize("group_name", ["c4", "d4"])
def test_positions_are_the_free_function_seen_from_each_element(group_name):
    """`P[x, h] = p(h^-1 x)`: the function's map, transformed by h, is channel h."""
    group, side, fields = Group.parse(group_name), 3, 2
    channels = fields * group.order
    layer = built(
        FieldPositionEmbedding(group_name, side, prefix_tokens=2), (None, 1, 11, channels)
    )
    free, prefix = layer.get_weights()
    inputs = np.zeros((1, 1, 11, channels), "float32")
    actual = numpy(layer(inputs))[0, 0].reshape(11, fields, group.order)
    np.testing.assert_allclose(actual[:2], np.repeat(prefix[..., None], group.order, -1), rtol=1e-6)
    grid = actual[2:].reshape(side, side, fields, group.order)
    for h in range(group.order):
        expected = group.transform(free[:, :, 0, 0], h)
        np.testing.assert_allclose(grid[..., h], expected, rtol=1e-6)


@pytest.mark.parametrize("group_name", ["c4", "d4", "c8", "d8"])
def test_positions_are_left_alone_by_the_group(group_name):
    """By its right angles, where others do not map the grid onto itself."""
    group, side = Group.parse(group_name), 4
    layer = built(FieldPositionEmbedding(group_name, side), (None, 1, 16, 2 * group.order))
    table = numpy(layer.expanded_table()).reshape(side, side, 2, group.order)
    assert np.abs(table - table[::-1]).max() > 0.1, "a map that is not symmetric in each channel"
    for g in range(group.order):
        if group.angle(g) % 90 == 0:
            moved = group.transform(table.reshape(side, side, -1), g).reshape(table.shape)
            moved = moved[..., group.regular_permutation(g)]
            np.testing.assert_allclose(moved, table, atol=1e-5)


@pytest.mark.parametrize("group_name", ["c4", "c8"])
def test_positions_of_scalars_are_the_mean_over_the_rotations(group_name):
    layer = FieldPositionEmbedding(group_name, 4, prefix_tokens=1, scalar=True)
    built(layer, (None, 1, 17, 3))
    table = numpy(layer.expanded_table())
    np.testing.assert_allclose(table[0], layer.get_weights()[1][0], rtol=1e-6)
    grid = table[1:].reshape(4, 4, 3)
    assert np.ptp(grid) > 0.1
    np.testing.assert_allclose(np.rot90(grid), grid, atol=1e-6)


@pytest.mark.parametrize("group_name", ["d4", "c8"])
def test_biases_are_left_alone_by_the_group(group_name):
    group, side = Group.parse(group_name), 3
    layer = built(FieldPositionBias(group_name, side, 2, prefix_tokens=1), (None, 1, 10, 16))
    bias = numpy(layer(np.zeros((1, 1, 10, 16), "float32")))[0]
    grid = bias[:, 1:, 1:]
    assert np.ptp(grid) > 0.1
    for g in range(group.order):
        if group.angle(g) % 90 == 0:
            moved = group.grid_permutation(g, side)
            np.testing.assert_allclose(grid[:, moved][:, :, moved], grid, atol=1e-6)
    # Of a displacement alone: the same one row further down.
    np.testing.assert_allclose(grid[:, 0, 4], grid[:, 3, 7], rtol=1e-6)
    to_prefix, from_prefix, within = layer.get_weights()[1]
    np.testing.assert_allclose(bias[:, 1:, 0], np.repeat(to_prefix[:, None], 9, 1), rtol=1e-6)
    np.testing.assert_allclose(bias[:, 0, 1:], np.repeat(from_prefix[:, None], 9, 1), rtol=1e-6)
    np.testing.assert_allclose(bias[:, 0, 0], within, rtol=1e-6)


def test_tokens_are_constant_over_the_elements():
    layer = built(FieldTokens("d4", 2), (None, 3, 3, 24))
    tokens = numpy(layer(np.zeros((4, 3, 3, 24), "float32")))
    assert tokens.shape == (4, 1, 2, 24)
    expected = np.repeat(layer.get_weights()[0], 8, axis=-1)
    np.testing.assert_array_equal(tokens, np.broadcast_to(expected, (4, 1, 2, 24)))


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: FieldTokens("c4", 3, **o),
        lambda **o: FieldPositionEmbedding("c4", 3, **o),
        lambda **o: FieldPositionEmbedding("c8", 3, scalar=True, **o),
        lambda **o: FieldPositionBias("d4", 3, 2, **o),
    ],
    ids=["tokens", "positions", "scalar positions", "bias"],
)
def test_saved_folded_and_in_half_precision(make, tmp_path):
    row = keras.Input((1, 9, 8))
    model = keras.Model(row, make(name="learned")(row))
    randomize(model)
    inputs = np.random.default_rng(0).standard_normal((2, 1, 9, 8)).astype("float32")
    expected = numpy(model(inputs))
    assert model.output_shape[1:] == expected.shape[1:]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(again(inputs)), expected)
    folded = fold(model)
    assert {type(layer).__module__.split(".")[0] for layer in folded.layers} == {"keras"}
    np.testing.assert_allclose(numpy(folded(inputs)), expected, atol=1e-6)
    half = make(dtype="mixed_float16")
    half(inputs)
    half.set_weights(model.get_weights())
    outputs = half(inputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    np.testing.assert_allclose(numpy(outputs), expected, atol=2e-2)


def test_another_number_of_tokens():
    with pytest.raises(ValueError, match="10 tokens are not 0 and a grid of 3 x 3"):
        FieldPositionEmbedding("c4", 3).build((None, 1, 10, 8))
    with pytest.raises(ValueError, match="12 channels are not whole fields of d4"):
        FieldTokens("d4", 1).build((None, 3, 3, 12))
