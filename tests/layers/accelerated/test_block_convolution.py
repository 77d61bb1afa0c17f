"""Grouped convolution against one plain convolution for each group."""

import keras
import numpy as np
import pytest

from lensnet.layers.accelerated.block_convolution import block_convolution, number_of_blocks


@pytest.mark.parametrize(
    ("channels", "filters", "groups"),
    [(8, 12, 4), (64, 64, 8), (64, 32, 2), (48, 48, 3), (32, 64, 32), (6, 6, 1)],
)
@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"strides": 2, "padding": "valid"},
        {"dilation_rate": 2, "padding": "same"},
    ],
)
def test_definition(channels, filters, groups, options):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 9, 9, channels)).astype("float32")
    kernel = rng.standard_normal((3, 3, channels // groups, filters)).astype("float32")
    expected = np.concatenate(
        [
            keras.ops.convert_to_numpy(keras.ops.conv(seen, group_of_filters, **options))
            for seen, group_of_filters in zip(
                np.split(images, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True
            )
        ],
        axis=-1,
    )
    actual = block_convolution(images, keras.ops.convert_to_tensor(kernel), groups, **options)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(actual), expected, atol=1e-5)


def test_groups_share_a_convolution_where_they_are_narrow():
    assert number_of_blocks(32, 1024) == 32
    assert number_of_blocks(32, 128) == 8
    assert number_of_blocks(6, 60) == 3
    assert number_of_blocks(32, 8) == 1


@pytest.mark.parametrize(("groups", "filters"), [(3, 12), (2, 5)])
def test_channels_that_cannot_be_cut(groups, filters):
    kernel = keras.ops.ones((3, 3, 4, filters))
    with pytest.raises(ValueError, match=f"in {groups} groups needs"):
        block_convolution(keras.ops.ones((1, 8, 8, 8)), kernel, groups)
