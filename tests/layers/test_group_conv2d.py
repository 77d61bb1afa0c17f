"""GroupConv2D against its definition, written as loops over positions and group elements."""

import itertools

import keras
import numpy as np
import pytest
from equivariance import assert_equivariant, randomize

from lensnet.layers import GroupConv2D
from lensnet.symmetry import Group


def definition(images, kernel, bias, group, *, lifting, strides, pad, dilation=1):
    """out[x, h] = b + sum over (y, j) of in[y, j] w(h^-1 (y - x), h^-1 j).

    Positions are turned by the group's matrices, not by our index tables.
    """
    size, elements_in, fields_in, filters = kernel.shape[1:]
    batch, height, width, _ = images.shape
    extent = dilation * (size - 1) + 1
    rows = (height + 2 * pad - extent) // strides + 1
    columns = (width + 2 * pad - extent) // strides + 1
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    padded = padded.reshape(*padded.shape[:3], fields_in, elements_in)
    out = np.zeros((batch, rows, columns, filters, group.order))
    centre = (size - 1) / 2
    taps = list(itertools.product(range(size), range(size)))
    for h in range(group.order):
        inverse = group.inverse(h)
        for row, column in taps:
            x, y = group.matrix(inverse) @ (column - centre, centre - row)
            from_row, from_column = round(centre - y), round(centre + x)
            for j in range(elements_in):
                from_j = 0 if lifting else group.product(inverse, j)
                weights = kernel[from_row, from_column, from_j]
                for i, k in itertools.product(range(rows), range(columns)):
                    pixel = padded[
                        :, i * strides + row * dilation, k * strides + column * dilation, :, j
                    ]
                    out[:, i, k, :, h] += pixel @ weights
    out += bias[:, None]
    return out.reshape(batch, rows, columns, filters * group.order)


CASES = [
    # kernel_size, size, strides, padding, dilation
    (3, 7, 1, "same", 1),
    (3, 7, 2, "same", 1),
    (5, 9, 1, "valid", 1),
    (2, 6, 2, "valid", 1),
    (1, 5, 1, "same", 1),
    (3, 9, 1, "same", 2),
    (3, 9, 2, "same", 2),
    (6, 6, 1, "valid", 1),  # covers the map
    (5, 5, 1, "valid", 1),
]


@pytest.mark.parametrize("lifting", [True, False])
@pytest.mark.parametrize("name", ["c4", "d4", "c2", "d2"])
@pytest.mark.parametrize(("kernel_size", "size", "strides", "padding", "dilation"), CASES)
def test_definition(name, lifting, kernel_size, size, strides, padding, dilation):
    group = Group.parse(name)
    rng = np.random.default_rng(1)
    channels = 2 * (1 if lifting else group.order)
    images = rng.standard_normal((2, size, size, channels)).astype("float32")
    layer = GroupConv2D(
        3,
        kernel_size,
        name,
        lifting=lifting,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
    )
    layer.build(images.shape)
    randomize(layer)
    expected = definition(
        images.astype("float64"),
        keras.ops.convert_to_numpy(layer.kernel).astype("float64"),
        keras.ops.convert_to_numpy(layer.bias).astype("float64"),
        group,
        lifting=lifting,
        strides=strides,
        pad=dilation * (kernel_size - 1) // 2 if padding == "same" else 0,
        dilation=dilation,
    )
    actual = keras.ops.convert_to_numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    # Single precision sums of a few hundred terms of order one.
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max() * 5


@pytest.mark.parametrize("name", ["c4", "d4"])
def test_lifting_is_equivariant(name):
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 3)).astype("float32")
    layer = GroupConv2D(4, 3, name, lifting=True, strides=2)
    layer.build(images.shape)
    randomize(layer)
    assert_equivariant(layer, images, name, outputs="regular", tolerance=2e-6)


def test_an_even_map_at_stride_two_is_not():
    """The negative control, and the reason for the kit's steps that fit the map."""
    images = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype("float32")
    layer = GroupConv2D(4, 3, "c4", lifting=True, strides=2)
    layer.build(images.shape)
    randomize(layer)
    with pytest.raises(AssertionError, match="changes by"):
        assert_equivariant(layer, images, "c4", outputs="regular")


def test_a_filter_that_covers_the_map_equals_the_plain_convolution():
    """Turning the map instead of the filter is the same sum."""
    images = np.random.default_rng(0).standard_normal((2, 5, 5, 16)).astype("float32")
    layer = GroupConv2D(3, 5, "d4", padding="valid")
    layer.build(images.shape)
    randomize(layer)
    plain = layer.convolve(images, layer.expanded_kernel()) + layer.expanded_bias()
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(images)), keras.ops.convert_to_numpy(plain), atol=2e-6
    )


def test_config_round_trip():
    layer = GroupConv2D(
        3,
        5,
        "d4",
        lifting=True,
        strides=2,
        padding="valid",
        dilation_rate=1,
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(0.1),
        name="g",
    )
    again = GroupConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.group == "d4" and again.lifting and not again.use_bias


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(filters=4, kernel_size=(3, 3), group="c4"), "one positive integer"),
        (dict(filters=0, kernel_size=3, group="c4"), "filters"),
        (dict(filters=4, kernel_size=4, group="c4"), "even size"),
        (dict(filters=4, kernel_size=3, group="c8"), "multiples of 90 degrees"),
        (dict(filters=4, kernel_size=3, group="c4", padding="causal"), "padding is"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupConv2D(**arguments)


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="3 channels, which are not whole fields of c4"):
        GroupConv2D(4, 3, "c4").build((None, 8, 8, 3))
