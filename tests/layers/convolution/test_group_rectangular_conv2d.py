"""GroupRectangularConv2D against its definition, and against the square group convolution."""

import itertools

import keras
import numpy as np
import pytest

from lensnet.layers import GroupConv2D, GroupRectangularConv2D
from lensnet.layers.convolution.base_rectangular_conv import rotated_taps
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def inputs(group, height, width=None, fields=2):
    shape = (2, height, width or height, fields * Group.parse(group).order)
    return np.random.default_rng(0).standard_normal(shape)


def built(shape, *arguments, **options):
    layer = GroupRectangularConv2D(*arguments, **options)
    layer.build(shape)
    randomize(layer)
    return layer


def definition(images, weights, bias, group, padding):
    """out[x, h] = b + sum over (u, j) of in[x + h u, j] w(u, h^-1 j), u the filter's own pixels.

    Every h u is computed by the group's matrix; the padding reaches as far as any of them.
    """
    height, width, order, _, filters = weights.shape
    extents = [max(height, width)] * 2 if group.rotations == 4 else [height, width]
    if padding == "same":
        images = np.pad(images, ((0, 0), *(((e - 1) // 2,) * 2 for e in extents), (0, 0)))
    batch, rows, columns, _ = images.shape
    fields = images.reshape(batch, rows, columns, -1, order)
    rows, columns = rows - extents[0] + 1, columns - extents[1] + 1
    out = np.zeros((batch, rows, columns, filters, order))
    for h, row, column, j in itertools.product(*map(range, (order, height, width, order))):
        x, y = group.matrix(h) @ (column - (width - 1) / 2, (height - 1) / 2 - row)
        top, left = round((extents[0] - 1) / 2 - y), round((extents[1] - 1) / 2 + x)
        seen = fields[:, top : top + rows, left : left + columns, :, j]
        out[..., h] += seen @ weights[row, column, group.product(group.inverse(h), j)]
    return (out + bias[:, None]).reshape(batch, rows, columns, -1)


@pytest.mark.parametrize(
    ("kernel_size", "padding"),
    [((1, 7), "same"), ((3, 1), "same"), ((3, 5), "valid"), ((2, 4), "valid"), ((3, 3), "same")],
)
@pytest.mark.parametrize("name", ["c4", "d4", "c2", "d2", "c1", "d1"])
def test_definition(name, kernel_size, padding):
    images = inputs(name, 8, 9)
    layer = built(images.shape, 3, kernel_size, name, padding=padding, dtype="float64")
    weights, bias = (numpy(weight).astype("float64") for weight in layer.weights)
    expected = definition(images, weights, bias, Group.parse(name), padding)
    actual = numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["c4", "d4"])
def test_a_square_filter_with_zeros_does_the_same(name):
    """In GroupConv2D, whose filters turn by code of their own."""
    images = inputs(name, 9).astype("float32")
    line = built(images.shape, 3, (1, 5), name)
    square = GroupConv2D(3, 5, name)
    square.build(images.shape)
    weights, bias = map(numpy, line.weights)
    square.set_weights([np.pad(weights, ((2, 2), *(4 * [(0, 0)]))), bias])
    np.testing.assert_allclose(numpy(line(images)), numpy(square(images)), atol=2e-6)


def test_quarter_turns_turn_the_line():
    layer = built((None, 9, 9, 16), 3, (1, 7), "d4")
    even, odd = (numpy(kernel) for kernel in layer.expanded_kernels())
    assert even.shape == (1, 7, 16, 12) and odd.shape == (7, 1, 16, 12)
    (one,) = built((None, 9, 9, 8), 3, (1, 7), "d2").expanded_kernels()
    assert one.shape == (1, 7, 8, 12)


@pytest.mark.parametrize("name", ["c4", "d4"])
def test_expanded_kernels_are_plain_convolutions(name):
    """Whose outputs interleave."""
    images = inputs(name, 7).astype("float32")
    layer = built(images.shape, 3, (1, 3), name)
    outputs = [numpy(keras.ops.conv(images, k, padding="same")) for k in layer.expanded_kernels()]
    expected = np.empty((*images.shape[:3], layer.output_channels()))
    expected[..., 0::2], expected[..., 1::2] = outputs
    expected += numpy(layer.expanded_bias())
    np.testing.assert_allclose(numpy(layer(images)), expected, atol=2e-6)


def inception_line(group, **options):
    """1x7 and 7x1, as in Inception, behind a lifting convolution."""
    return keras.Sequential(
        [
            GroupConv2D(2, 3, group, lifting=True),
            GroupRectangularConv2D(2, (1, 7), group, **options),
            keras.layers.ReLU(),
            GroupRectangularConv2D(3, (7, 1), group, **options),
        ]
    )


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("name", ["c4", "d4"])
@pytest.mark.parametrize("size", [14, 15])
def test_equivariance(name, padding, size):
    images = np.random.default_rng(0).standard_normal((2, size, size, 2)).astype("float32")
    model = inception_line(name, padding=padding)
    model.build(images.shape)
    randomize(model)
    assert_equivariant(model, images, name, outputs="regular")


def test_plain_lines_fail_the_same_check():
    """The negative control: two plain convolutions, whose line lies along rows at all elements."""
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 2)).astype("float32")
    model = keras.Sequential(
        [
            GroupConv2D(2, 3, "c4", lifting=True),
            keras.layers.Conv2D(8, (1, 7), padding="same"),
        ]
    )
    model.build(images.shape)
    randomize(model)
    assert equivariance_error(model, images, Group(4), outputs="regular") > 0.1


def test_images_of_any_size():
    image = keras.Input((None, None, 8))
    model = keras.Model(image, GroupRectangularConv2D(3, (1, 5), "c4", padding="valid")(image))
    assert model.output_shape == (None, None, None, 12)
    for height, width in ((9, 7), (5, 6)):
        outputs = model(inputs("c4", height, width).astype("float32"))
        assert tuple(outputs.shape) == (2, height - 4, width - 4, 12)


def test_rotated_taps():
    """By the matrices: where a tap stands is where the rotation carries it."""
    group = Group(4, mirrors=True)
    for element in range(8):
        turned = rotated_taps(group, element, 2, 4)
        rows, columns = turned.shape
        for row, column in itertools.product(range(2), range(4)):
            x, y = group.matrix(element) @ (column - 1.5, 0.5 - row)
            there = turned[round((rows - 1) / 2 - y), round((columns - 1) / 2 + x)]
            assert there == 4 * row + column


def test_he_normal_keeps_the_variance():
    images = inputs("d4", 16, fields=8).astype("float32")
    initializer = keras.initializers.HeNormal(seed=0)
    layer = GroupRectangularConv2D(8, (1, 7), "d4", padding="valid", kernel_initializer=initializer)
    # he_normal doubles it, for the half that a ReLU takes.
    assert abs(np.var(numpy(layer(images))) / 2 - 1) < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (1, 7), "c4"), "filters as one positive integer; got 0"),
        ((4, 7, "c4"), "kernel_size as two positive integers.*got 7"),
        ((4, (1, 0), "c4"), r"kernel_size as two positive integers.*got \(1, 0\)"),
        ((4, (1, 6), "c4"), r'an even side \(1 x 6\) cannot be padded "same"'),
        ((4, (1, 7), "c8"), "c8 rotates by 45 degrees.*Use a GroupConv2D with a square filter"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupRectangularConv2D(*arguments)


def test_wrong_padding():
    with pytest.raises(ValueError, match='padding is "same" or "valid"'):
        GroupRectangularConv2D(4, (1, 7), "c4", padding="causal")
    with pytest.raises(ValueError, match="2 x 3 pixels cannot be rotated by 90 degrees"):
        GroupRectangularConv2D(4, (2, 3), "c4", padding="valid")
    GroupRectangularConv2D(4, (2, 3), "c2", padding="valid")


def test_channels_that_are_not_whole_fields():
    with pytest.raises(ValueError, match="6 channels are not whole fields of c4"):
        GroupRectangularConv2D(2, (1, 3), "c4").build((None, 8, 8, 6))


def test_config_round_trip():
    layer = GroupRectangularConv2D(
        3,
        (1, 7),
        "d4",
        padding="valid",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(0.1),
    )
    again = GroupRectangularConv2D.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.kernel_regularizer is not None and not again.use_bias
