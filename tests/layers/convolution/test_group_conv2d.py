"""GroupConv2D against its definition, written as loops over positions and group elements."""

import keras
import numpy as np
import pytest
from group_convolution import filter_function, group_convolution

from lensnet.layers import GroupConv2D
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, randomize

CASES = [
    # group, lifting, kernel_size, size, strides, padding, dilation
    ("d4", True, 3, 7, 1, "same", 1),
    ("d4", False, 3, 7, 2, "same", 1),
    ("d4", True, 5, 9, 1, "valid", 1),
    ("d4", False, 2, 6, 2, "valid", 1),
    ("d4", False, 1, 5, 1, "same", 1),
    ("d4", True, 1, 5, 1, "same", 1),
    ("d4", False, 3, 9, 1, "same", 2),
    ("d4", True, 3, 9, 2, "same", 2),
    ("d4", False, 6, 6, 1, "valid", 1),  # the full map
    ("d4", True, 5, 5, 1, "valid", 1),
    ("c4", False, 3, 7, 1, "same", 1),
    ("c4", True, 6, 6, 1, "valid", 1),
    ("c2", False, 3, 7, 1, "same", 1),
    ("c2", False, 5, 5, 1, "valid", 1),
    ("d2", True, 3, 7, 1, "same", 1),
    ("d2", False, 5, 5, 1, "valid", 1),
]


@pytest.mark.parametrize(
    ("name", "lifting", "kernel_size", "size", "strides", "padding", "dilation"), CASES
)
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
    expected = defined(layer, images)
    actual = keras.ops.convert_to_numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    # Single precision sums of a few hundred terms of order one.
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


def defined(layer, images):
    """What the definition gives for the layer's weights, in double precision, group by group."""
    group = Group.parse(layer.group)
    weights, *bias = (
        keras.ops.convert_to_numpy(weight).astype("float64") for weight in layer.weights
    )
    fields = images.shape[-1] // (1 if layer.lifting else group.order)
    maps = images.astype("float64").reshape(*images.shape[:3], fields, -1)
    parts = []
    for seen, filters, biases in zip(
        np.split(maps, layer.groups, axis=3),
        np.split(weights, layer.groups, axis=-1),
        np.split(bias[0], layer.groups),
        strict=True,
    ):
        filters = filter_function(
            filters, layer.kernel_size, on_pixels=group.exact_on_grid or layer.kernel_size == 1
        )
        extent = layer.dilation_rate * (layer.kernel_size - 1)
        part = group_convolution(
            seen.reshape(*images.shape[:3], -1),
            filters,
            biases,
            group,
            layer.kernel_size,
            lifting=layer.lifting,
            strides=layer.strides,
            pad=extent // 2 if layer.padding == "same" else 0,
            dilation=layer.dilation_rate,
        )
        parts.append(part)
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize(
    ("name", "lifting", "kernel_size", "size", "options"),
    [
        ("c8", True, 5, 9, {}),
        ("c8", False, 3, 9, {"strides": 2, "dilation_rate": 2}),
        ("c8", False, 1, 5, {}),
        ("c8", True, 4, 8, {"strides": 4, "padding": "valid"}),
        ("c8", True, 5, 5, {"padding": "valid"}),  # the full map
        ("c8", False, 6, 6, {"padding": "valid"}),
        ("d8", False, 5, 7, {"strides": 2}),
        ("d8", False, 5, 5, {"padding": "valid"}),
        ("d8", True, 1, 5, {}),
        ("c16", False, 7, 7, {}),
        ("c3", True, 5, 7, {}),
        ("d6", False, 3, 5, {"padding": "valid"}),
    ],
)
def test_definition_with_filters_at_rotated_coordinates(name, lifting, kernel_size, size, options):
    channels = 2 * (1 if lifting else Group.parse(name).order)
    images = np.random.default_rng(1).standard_normal((2, size, size, channels)).astype("float32")
    layer = GroupConv2D(3, kernel_size, name, lifting=lifting, **options)
    layer.build(images.shape)
    randomize(layer)
    expected = defined(layer, images)
    actual = keras.ops.convert_to_numpy(layer(images))
    assert actual.shape == layer.compute_output_shape(images.shape) == expected.shape
    # Single precision sums of a few hundred terms of order one.
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "lifting", "kernel_size", "groups"),
    [("c4", False, 3, 2), ("c4", True, 3, 4), ("d4", False, 1, 4), ("c8", False, 5, 2)],
)
def test_groups_of_fields(name, lifting, kernel_size, groups):
    channels = 4 * (1 if lifting else Group.parse(name).order)
    images = np.random.default_rng(1).standard_normal((2, 7, 7, channels)).astype("float32")
    layer = GroupConv2D(8, kernel_size, name, lifting=lifting, groups=groups)
    layer.build(images.shape)
    randomize(layer)
    expected = defined(layer, images)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(images)), expected, atol=1e-6 * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", ["c8", "d8", "c16"])
def test_harmonic_filters_rotate_exactly_by_90_degrees(name):
    """Of d8 the reflections are exact as well. (Of c16, every fourth rotation.)"""
    group = Group.parse(name)
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 2)).astype("float32")
    first = GroupConv2D(2, 5, name, lifting=True)
    second = GroupConv2D(2, 5, name, strides=2)
    model = keras.Sequential([keras.Input((9, 9, 2)), first, second])
    randomize(model)
    reference = keras.ops.convert_to_numpy(model(images))
    for element in range(group.order):
        if group.angle(element) % 90:
            continue
        fields = group.transform(reference, element).reshape(2, 5, 5, -1, group.order)
        expected = fields[..., group.regular_permutation(element)].reshape(reference.shape)
        actual = keras.ops.convert_to_numpy(
            model(np.ascontiguousarray(group.transform(images, element)))
        )
        assert np.abs(actual - expected).max() <= 2e-6 * np.abs(reference).max()


def smooth_disks(size, angle):
    """Eight sums of plane waves of four pixels or more, in a soft disk, rotated by the angle.

    They are functions of the plane, evaluated at rotated pixels: nothing is interpolated.
    """
    rng = np.random.default_rng(3)
    offset = np.arange(size) - (size - 1) / 2
    x, y = np.meshgrid(offset, -offset)
    disk = 0.5 - 0.5 * np.tanh((np.hypot(x, y) - size / 3) / 2)
    x, y = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    frequency = np.pi / 2 * np.sqrt(rng.uniform(size=(8, 40)))
    direction, phase = rng.uniform(0, 2 * np.pi, size=(2, 8, 40))
    kx, ky = frequency * np.cos(direction), frequency * np.sin(direction)
    waves = np.cos(np.multiply.outer(kx, x) + np.multiply.outer(ky, y) + phase[..., None, None])
    return (waves.sum(axis=1) * disk)[..., None].astype("float32")


def rotation_error(name, degrees):
    """How much each field's largest response at the fixed point changes under a rotation."""
    model = keras.Sequential(
        [
            keras.Input((25, 25, 1)),
            GroupConv2D(16, 5, name, lifting=True),
            keras.layers.ReLU(),
            GroupConv2D(16, 5, name),
        ]
    )
    randomize(model)

    def features(angle):
        maps = keras.ops.convert_to_numpy(model(smooth_disks(25, np.radians(angle))))
        return maps[:, 12, 12].reshape(8, 16, -1).max(axis=-1)

    reference = features(0)
    return np.linalg.norm(features(degrees) - reference) / np.linalg.norm(reference)


def test_rotations_by_45_degrees_are_nearly_exact():
    """Measured: 4 per cent. The controls are rotations that the group does not know: 13 and 61."""
    assert rotation_error("c8", 45) < 0.05
    assert rotation_error("c16", 45) < 0.05
    assert rotation_error("c16", 22.5) < 0.05
    assert rotation_error("c8", 90) < 1e-5
    assert rotation_error("c8", 22.5) > 0.1
    assert rotation_error("c4", 45) > 0.4


@pytest.mark.parametrize("lifting", [True, False])
def test_an_initializer_gives_the_variance_that_it_gives_a_plain_convolution(lifting):
    images = np.random.default_rng(0).standard_normal((4, 24, 24, 64)).astype("float32")

    def variance(layer):
        return np.var(keras.ops.convert_to_numpy(layer(images)))

    options = {"kernel_size": 5, "padding": "valid", "use_bias": False}
    options["kernel_initializer"] = keras.initializers.HeNormal(seed=1)
    plain = variance(keras.layers.Conv2D(64, **options))
    for name in ("c4", "c8", "d8", "c16"):
        filters = 64 // Group.parse(name).order
        layer = GroupConv2D(filters, group=name, lifting=lifting, **options)
        # Few filters of few weights: their own variance scatters by some per cent.
        assert abs(variance(layer) / plain - 1) < 0.2, name


@pytest.mark.parametrize("name", ["c4", "d4"])
def test_lifting_is_equivariant(name):
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 3)).astype("float32")
    layer = GroupConv2D(4, 3, name, lifting=True, strides=2)
    layer.build(images.shape)
    randomize(layer)
    assert_equivariant(layer, images, name, outputs="regular", tolerance=2e-6)


def test_an_even_map_at_stride_two_is_not():
    """The negative control, and the reason for the kit's strides that fit the map."""
    images = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype("float32")
    layer = GroupConv2D(4, 3, "c4", lifting=True, strides=2)
    layer.build(images.shape)
    randomize(layer)
    with pytest.raises(AssertionError, match="changes by"):
        assert_equivariant(layer, images, "c4", outputs="regular")


def test_a_filter_of_the_full_map_equals_the_plain_convolution():
    """Rotating the map instead of the filter is the same sum."""
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
        groups=3,
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
        (dict(filters=4, kernel_size=3, group="c4", groups=3), "4 filters cannot be cut into 3"),
        (dict(filters=4, kernel_size=3, group="c4", padding="causal"), "padding is"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupConv2D(**arguments)


def test_fields_that_cannot_be_cut():
    with pytest.raises(ValueError, match="3 fields cannot be cut into 2 groups"):
        GroupConv2D(4, 3, "c4", groups=2).build((None, 8, 8, 12))


def test_channels_that_are_not_whole_fields():
    with pytest.raises(
        ValueError,
        match="on an image set lifting=True.*3 channels, which are not whole fields of c4",
    ):
        GroupConv2D(4, 3, "c4").build((None, 8, 8, 3))


def test_channels_that_are_not_known():
    with pytest.raises(ValueError, match="number of input channels must be known"):
        GroupConv2D(4, 3, "c4").build((None, 8, 8, None))
