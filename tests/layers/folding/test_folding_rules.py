"""Each layer's folded form answers as the layer does, and what follows merges into it."""

import inspect

import keras
import numpy as np
import pytest
from folded import answers, assert_folds, batch_norm, build, chain, images, kinds, lift

from lensnet import layers
from lensnet.layers import (
    CircularMask,
    DropPath,
    FieldChannelAttention,
    FieldDropBlock,
    FieldDropout,
    FieldLayerNormalization,
    FieldNormalization,
    FieldScale,
    FieldSqueezeExcite,
    GroupAveraged,
    GroupConv2D,
    GroupDepthwiseConv2D,
    GroupedConv2D,
    GroupPool,
    GroupRectangularConv2D,
    GroupSeparableConv2D,
    RotationalConv2D,
    RotationalDepthwiseConv2D,
    RotationalRectangularConv2D,
    SymmetricDownsample2D,
    fold,
)
from lensnet.testing import randomize


def test_every_layer_says_how_it_folds():
    """Beside its call, or as the Keras class that it stands for."""
    classes = [value for value in vars(layers).values() if inspect.isclass(value)]
    assert len(classes) > 20
    for layer in classes:
        assert hasattr(layer, "fold") or issubclass(layer, layer.stock_class), layer


# --- convolutions of fields -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "strides", "padding", "dilation"),
    [
        *(("c4", 1, "same", 1), ("d4", 2, "same", 1), ("d4", 2, "valid", 1)),
        *(("d4", 1, "same", 2), ("d4", 2, "same", 2)),
    ],
)
def test_group_convolution(group, strides, padding, dilation):
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    layer = GroupConv2D(3, 3, group, use_bias=strides == 1, **options)
    assert_folds(build(chain(lift(group), layer, FieldNormalization(group))))


def test_group_convolution_by_circular_harmonics():
    assert_folds(build(chain(lift("c8"), GroupConv2D(3, 5, "c8"), FieldNormalization("c8"))))


def test_a_filter_that_covers_the_map():
    assert_folds(build(chain(lift("d4", 4), GroupConv2D(4, 9, "d4", padding="valid"))))


@pytest.mark.parametrize(
    ("fields", "blocks", "options"),
    [(8, 4, {}), (4, 2, {"strides": 2, "use_bias": False}), (2, 1, {})],
)
def test_group_convolution_in_groups(fields, blocks, options):
    """Blocks of 16 channels or more, and one normalisation merged into them all."""
    layer = GroupConv2D(fields, 3, "d4", groups=min(fields, 4), **options)
    model = build(chain(lift("d4", fields), layer, FieldNormalization("d4")))
    assert kinds(assert_folds(model)).count("Conv2D") == 1 + blocks


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", [None, "silu"])
def test_stock_convolution_in_groups(activation, use_bias):
    layer = GroupedConv2D(
        32, 3, groups=4, strides=2, padding="same", use_bias=use_bias, activation=activation
    )
    model = build(chain(keras.layers.Conv2D(64, 1), layer, batch_norm()))
    folded = assert_folds(model, normalizations=0 if activation is None else 1)
    assert all(conv.groups == 1 for conv in folded.layers if "Conv" in type(conv).__name__)


def test_convolutions_of_one_group_and_of_channels_first():
    model = build(chain(GroupedConv2D(4, 3, use_bias=False), batch_norm()))
    assert kinds(assert_folds(model)) == ["Conv2D"]
    layer = GroupedConv2D(3, 1, data_format="channels_first", groups=3)
    stock = fold(build(layer)).layers[-1]
    assert type(stock) is keras.layers.Conv2D and stock.groups == 3


@pytest.mark.parametrize(
    ("size", "pads", "kernel_size", "strides", "merges"),
    [
        *((size, pad, 2 * pad + 1, 2, True) for size in (8, 9) for pad in (1, 2, 3)),
        (9, 1, 3, 1, True),
        (10, 1, 3, 3, True),
        (8, 1, 3, 3, True),
        (9, ((0, 1), (0, 1)), 3, 2, False),
        (8, ((0, 1), (0, 1)), 3, 2, True),
        (8, ((1, 0), (1, 0)), 3, 2, True),
        (9, ((1, 2), (2, 1)), 5, 2, False),
        (9, 3, 3, 2, False),
    ],
)
def test_zeros_around_a_map_move_into_the_depthwise_convolution(
    size, pads, kernel_size, strides, merges
):
    """Where it can put them in the same places, with a filter that may be larger."""
    zeros = keras.layers.ZeroPadding2D(pads)
    layer = keras.layers.DepthwiseConv2D(kernel_size, strides=strides, use_bias=False)
    folded = assert_folds(build(chain(zeros, layer, batch_norm()), size, 4))
    assert ("ZeroPadding2D" not in kinds(folded)) == merges


def test_zeros_around_a_map_of_unknown_size_stay():
    layers_ = [keras.layers.ZeroPadding2D(1), keras.layers.DepthwiseConv2D(3, strides=2)]
    model = keras.Sequential([keras.Input((None, None, 4)), *layers_])
    folded = assert_folds(model, images(8, 4))
    assert "ZeroPadding2D" in kinds(folded)


@pytest.mark.parametrize("kind", [GroupDepthwiseConv2D, GroupSeparableConv2D])
@pytest.mark.parametrize(
    ("group", "size", "options"),
    [
        ("d4", 3, {}),
        ("d4", 3, {"strides": 2, "dilation_rate": 2}),
        ("c8", 5, {"strides": 2, "use_bias": False}),
    ],
)
def test_depthwise_and_separable_group_convolutions(kind, options, group, size):
    filters = (4,) if kind is GroupSeparableConv2D else ()
    layer = kind(*filters, size, group, **options)
    model = build(chain(lift(group), layer, FieldNormalization(group)))
    assert "DepthwiseConv2D" in kinds(assert_folds(model))


@pytest.mark.parametrize(
    ("group", "kernel_size", "options"),
    [
        ("c4", (1, 5), {}),
        ("d4", (5, 3), {"use_bias": False}),
        ("d4", (1, 5), {"padding": "valid"}),
        ("d2", (1, 5), {}),
    ],
)
def test_rectangular_group_convolution(kernel_size, options, group):
    """Its two halves are not interleaved: the next filter takes them as they come."""
    layer = GroupRectangularConv2D(3, kernel_size, group, **options)
    rest = (FieldNormalization(group), keras.layers.ReLU(), GroupConv2D(2, 1, group))
    assert "Take" not in kinds(assert_folds(build(chain(lift(group), layer, *rest))))


def test_rectangular_group_convolution_at_the_end():
    model = build(chain(lift("d4"), GroupRectangularConv2D(3, (1, 5), "d4")))
    assert kinds(assert_folds(model))[-2:] == ["Concatenate", "Take"]


# --- the largest of several orientations ----------------------------------------------------------

ROTATIONAL = {
    "rot4": lambda: RotationalConv2D(5, 3, strides=2),
    "rot8": lambda: RotationalConv2D(5, 3, rotations=8),
    "one": lambda: RotationalConv2D(5, 3, rotations=1),
    "groups": lambda: RotationalConv2D(4, 3, groups=2, use_bias=False),
    "blocks": lambda: RotationalConv2D(4, 3, groups=2),
    "inputs": lambda: RotationalConv2D(5, 3, rotate="inputs", strides=2),
    "inputs8": lambda: RotationalConv2D(5, 3, 8, "inputs", circular_mask=True, use_bias=False),
    "depthwise": lambda: RotationalDepthwiseConv2D(3, strides=2),
    "rectangle": lambda: RotationalRectangularConv2D(5, (1, 5)),
    "valid": lambda: RotationalRectangularConv2D(5, (1, 5), padding="valid", use_bias=False),
}


@pytest.mark.parametrize("name", ROTATIONAL)
def test_rotational_convolution(name):
    channels = 32 if name == "blocks" else 4
    assert_folds(build(chain(ROTATIONAL[name](), batch_norm()), channels=channels))


@pytest.mark.parametrize("name", ["rot4", "depthwise"])
def test_a_negative_scale_turns_the_largest_into_the_smallest(name):
    model = build(chain(ROTATIONAL[name](), batch_norm()), channels=4)
    randomize(model)
    rest = [2.0] * (model.output_shape[-1] - 3)
    model.layers[-1].gamma.assign([1.0, -0.5, 0.0, *rest])
    assert_folds(model, normalizations=1, random=False)
    model.layers[-1].gamma.assign([1.0, 0.5, 0.0, *rest])
    assert_folds(model, normalizations=0, random=False)


# --- what is between ------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize(
    "gate",
    [
        lambda: FieldSqueezeExcite("d4", 2, "silu"),
        lambda: FieldSqueezeExcite("d4", 2, gate_activation="hard_sigmoid", use_bias=False),
        lambda: FieldChannelAttention("d4", 3),
    ],
)
def test_gates(gate, flat):
    pool = [keras.layers.GlobalAveragePooling2D()] if flat else []
    assert_folds(build(chain(lift("d4", 5), *pool, gate())))


def test_stock_squeeze_and_excitation():
    def body(x):
        x = batch_norm()(keras.layers.Conv2D(6, 3, use_bias=False)(x))
        gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = keras.layers.Conv2D(2, 1, activation="silu")(gate)
        return keras.layers.Multiply()([x, keras.layers.Conv2D(6, 1, activation="sigmoid")(gate)])

    assert_folds(build(body))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 1e-2}])
def test_layer_normalisation(options):
    assert_folds(build(chain(lift("d4"), FieldLayerNormalization("d4", **options))))


def test_scale_of_fields():
    merged = build(chain(GroupConv2D(3, 3, "d4", lifting=True, use_bias=False), FieldScale("d4")))
    assert kinds(assert_folds(merged)) == ["Conv2D"]
    alone = build(chain(lift("d4"), keras.layers.ReLU(), FieldScale("d4")))
    assert kinds(assert_folds(alone))[-1] == "Multiply"


@pytest.mark.parametrize(
    ("equation", "activation", "expected"),
    [
        ("bhwc,c->bhwc", None, ["Conv2D"]),
        ("bhwc,c->bhwc", "relu", ["Conv2D", "EinsumDense"]),
        ("bhwc,w->bhwc", None, ["Conv2D", "EinsumDense"]),
    ],
)
def test_stock_layer_scale(equation, activation, expected):
    scale = keras.layers.EinsumDense(equation, (5, 5, 5), activation=activation)
    model = build(chain(keras.layers.Conv2D(5, 5, use_bias=False), scale))
    assert kinds(assert_folds(model)) == expected


@pytest.mark.parametrize("mode", ["max", "mean"])
@pytest.mark.parametrize("flat", [True, False])
def test_group_pool(mode, flat):
    pool = [keras.layers.GlobalAveragePooling2D()] if flat else []
    assert_folds(build(chain(lift("d4"), *pool, GroupPool("d4", mode=mode))))


@pytest.mark.parametrize(
    ("size", "strides", "window_size"),
    [(8, 2, None), (9, 2, None), (8, 2, 5), (8, 3, 2), (9, 3, 2)],
)
def test_symmetric_downsampling(size, strides, window_size):
    """A normalisation that follows merges into the convolution before."""
    layer = SymmetricDownsample2D(strides, window_size)
    assert_folds(build(chain(lift("d4"), layer, FieldNormalization("d4")), size=size))


@pytest.mark.parametrize("edge_width_pixels", [0.0, 2.0])
def test_circular_mask(edge_width_pixels):
    assert_folds(build(CircularMask(edge_width_pixels)))


def test_what_acts_in_training_alone_is_left_out():
    layers = [
        DropPath(0.5),
        FieldDropBlock("c4", 0.5, block_size=3),
        FieldDropout("c4", 0.5),
        keras.layers.Dropout(0.5),
        keras.layers.SpatialDropout2D(0.5),
        keras.layers.Identity(),
    ]
    model = build(chain(lift("c4"), *layers, FieldNormalization("c4")))
    assert kinds(assert_folds(model)) == ["Conv2D"]


@pytest.mark.parametrize("slope", [0.01, 0.2])
def test_leaky_relu_after_a_sum(slope):
    """As a graph, too, in which TensorFlow fuses operations."""

    def body(x):
        branch = FieldNormalization("d4")(GroupConv2D(3, 3, "d4", use_bias=False)(x))
        return keras.layers.LeakyReLU(negative_slope=slope)(keras.layers.Add()([branch, x]))

    model = build(chain(lift("d4"), body))
    folded = assert_folds(model)
    (expected,) = answers(model, images())
    np.testing.assert_allclose(folded.predict_on_batch(images()), expected, atol=1e-5)


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("is_model", [True, False])
def test_group_averaged(stacked, is_model):
    inner = keras.layers.Conv2D(2, 9)
    if is_model:

        def body(x):
            flat = chain(lift("c4"), FieldNormalization("c4"), keras.layers.Flatten())(x)
            return {"one": keras.layers.Dense(2)(flat), "other": inner(x)}

        inner = build(body)
    averaged = GroupAveraged(inner, "d4", stacked=stacked, name="averaged")
    folded = assert_folds(build(averaged))
    # And as the model that is given:
    again = fold(averaged)
    assert again.name == "averaged"
    for mine, theirs in zip(answers(again, images()), answers(folded, images()), strict=True):
        np.testing.assert_array_equal(mine, theirs)
