"""What FieldDropout, DropPath and FieldDropBlock drop, and how they scale what they keep."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from lensnet.layers import DropPath, FieldDropBlock, FieldDropout


def dropped(layer, inputs):
    return keras.ops.convert_to_numpy(layer(inputs, training=True))


@pytest.mark.parametrize(("group", "order"), [("d4", 8), ("c1", 1)])
def test_field_dropout_drops_whole_fields(group, order):
    inputs = np.random.default_rng(0).uniform(1, 2, (4, 20, 20, 16)).astype("float32")
    kept = dropped(FieldDropout(group, 0.2, seed=0), inputs) / inputs
    fields = kept.reshape(-1, order)
    assert (np.ptp(fields, axis=-1) <= 1e-6).all(), "the channels of a field fare alike"
    np.testing.assert_allclose(np.unique(fields.round(5)), [0, 1.25])
    # Three standard deviations of a share of that many draws.
    assert abs((fields == 0).mean() - 0.2) < 3 * np.sqrt(0.2 * 0.8 / len(fields))


def test_stock_dropout_does_not():
    kept = dropped(keras.layers.Dropout(0.2, seed=0), np.ones((4, 20, 20, 16), "float32"))
    fields = kept.reshape(-1, 4)
    assert (fields != fields[:, :1]).any()


def test_drop_path_drops_whole_examples():
    inputs = np.random.default_rng(0).uniform(1, 2, (2000, 3, 3, 4)).astype("float32")
    kept = dropped(DropPath(0.2, seed=0), inputs) / inputs
    examples = kept.reshape(2000, -1)
    assert (np.ptp(examples, axis=1) <= 1e-6).all()
    np.testing.assert_allclose(np.unique(examples.round(5)), [0, 1.25])
    assert abs((examples[:, 0] == 0).mean() - 0.2) < 3 * np.sqrt(0.2 * 0.8 / 2000)
    assert dropped(DropPath(0.2), np.ones((5, 7), "float32")).shape == (5, 7)


@pytest.mark.parametrize("block_size", [1, 4, 7])
def test_drop_block_drops_squares_of_whole_fields(block_size):
    # Few blocks, so that most of them stand alone.
    inputs = np.random.default_rng(0).uniform(1, 2, (48, 21, 21, 16)).astype("float32")
    kept = dropped(FieldDropBlock("d4", 0.02, block_size, seed=0), inputs) / inputs
    fields = kept.reshape(48, 21, 21, 2, 8)
    assert (np.ptp(fields, axis=-1) <= 1e-6).all(), "the channels of a field fare alike"
    masks = fields[..., 0] > 0
    assert (masks[..., 0] != masks[..., 1]).any(), "each field has blocks of its own"
    # Algorithm 1, line 7: what is kept is scaled by all over kept.
    np.testing.assert_allclose(kept[kept > 0], 1 / masks.mean(), rtol=1e-5)
    squares = 0
    for mask in np.moveaxis(masks, -1, 1).reshape(-1, 21, 21):
        labels, _ = ndimage.label(~mask)
        for rows, columns in ndimage.find_objects(labels):
            sides = rows.stop - rows.start, columns.stop - columns.start
            assert min(sides) >= block_size, "no block is cut, not even at the edge"
            squares += sides == (block_size, block_size)
    assert squares > 5
    opened = [ndimage.binary_opening(~m, np.ones((block_size,) * 2)) for m in masks[..., 0]]
    np.testing.assert_array_equal(opened, ~masks[..., 0])


@pytest.mark.parametrize(("rate", "block_size", "size"), [(0.1, 1, 16), (0.3, 7, 9)])
def test_the_share_that_drop_block_drops(rate, block_size, size):
    """By equation 1 a pixel far from the edge is spared with probability (1 - gamma)^block^2."""
    inputs = np.ones((2000, size, size, 8), "float32")
    kept = dropped(FieldDropBlock("c4", rate, block_size, seed=0), inputs)
    gamma = rate / block_size**2 * size**2 / (size - block_size + 1) ** 2
    places = size - block_size + 1
    # A pixel is covered by the blocks that start at most block_size - 1 before it, on the map.
    covering = [
        min(pixel, places - 1) - max(pixel - block_size + 1, 0) + 1 for pixel in range(size)
    ]
    expected = 1 - (1 - gamma) ** np.outer(covering, covering)
    actual = (kept == 0).mean(axis=(0, 3))
    # 4,000 fields: five standard deviations of a pixel's share. Pixels of a block fare alike, so
    # that the mean over the map has hardly a smaller one where blocks are large.
    tolerance = 5 * np.sqrt(rate * (1 - rate) / 4000)
    assert np.abs(actual - expected).max() < tolerance
    assert abs(actual.mean() - expected.mean()) < tolerance
    assert actual.mean() <= rate + tolerance


def test_a_block_of_the_maps_size_drops_a_field_whole():
    kept = dropped(FieldDropBlock("c4", 0.5, block_size=9, seed=0), np.ones((64, 5, 5, 8)))
    shares = kept.reshape(64, 25, 2, 4).astype(bool).mean(axis=(1, 3))
    assert set(np.unique(shares)) == {0, 1}


def test_when_nothing_is_left_the_output_is_zero():
    layer = FieldDropBlock("c4", 0.999, block_size=4, seed=0)
    assert (dropped(layer, np.ones((1, 4, 4, 4), "float32")) == 0).all()


@pytest.mark.parametrize(
    "layer", [FieldDropout("c4", 0.0), DropPath(0.0), FieldDropBlock("c4", 0.0)]
)
def test_a_rate_of_zero_drops_nothing(layer):
    inputs = np.random.default_rng(0).standard_normal((2, 8, 8, 8)).astype("float32")
    np.testing.assert_array_equal(dropped(layer, inputs), inputs)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_wrong_rates(rate):
    for make in (lambda: FieldDropout("c4", rate), lambda: DropPath(rate)):
        with pytest.raises(ValueError, match="rate is at least 0 and below 1"):
            make()
    with pytest.raises(ValueError, match="rate is at least 0 and below 1"):
        FieldDropBlock("c4", rate)


def test_wrong_blocks():
    with pytest.raises(ValueError, match="block_size is a positive number"):
        FieldDropBlock("c4", 0.1, block_size=0)
    with pytest.raises(ValueError, match="must be known"):
        FieldDropBlock("c4", 0.1).build((None, None, None, 4))


def test_maps_of_unknown_size():
    """Dropping fields and paths needs no size."""
    image = keras.Input((None, None, 8))
    model = keras.Model(image, DropPath(0.5)(FieldDropout("c4", 0.5)(image)))
    assert model.output_shape == (None, None, None, 8)
    assert model(np.ones((2, 5, 6, 8), "float32"), training=True).shape == (2, 5, 6, 8)
