"""Where channels stand after folding: what reorders them moves into filters."""

import keras
import pytest
from folded import assert_folds, batch_norm, build, chain, images, kinds, lift, relu

from lensnet.layers import (
    CircularMask,
    FieldLayerNormalization,
    FieldNormalization,
    FieldScale,
    FieldSqueezeExcite,
    GroupConv2D,
    GroupDepthwiseConv2D,
    GroupedConv2D,
    GroupPool,
    GroupRectangularConv2D,
    RotationalConv2D,
    RotationalDepthwiseConv2D,
    SubgroupRestriction,
    SymmetricDownsample2D,
)

FOLLOWING = {
    "convolution": lambda: [GroupConv2D(3, 3, "d2", strides=2)],
    "depthwise": lambda: [GroupDepthwiseConv2D(3, "d2"), GroupConv2D(2, 1, "d2")],
    "stock": lambda: [keras.layers.DepthwiseConv2D(3), keras.layers.Conv2D(3, 3)],
    "rotational": lambda: [RotationalDepthwiseConv2D(3), RotationalConv2D(3, 3)],
    "normalisation": lambda: [FieldNormalization("d2"), GroupConv2D(2, 3, "d2")],
    "batch": lambda: [batch_norm(center=False), GroupConv2D(2, 3, "d2")],
    "layer": lambda: [FieldLayerNormalization("d2"), GroupConv2D(2, 3, "d2")],
    "scale": lambda: [FieldScale("d2"), GroupConv2D(2, 3, "d2")],
    "activation": lambda: [keras.layers.Activation("silu"), GroupConv2D(2, 3, "d2")],
    "pool": lambda: [keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(3)],
    "downsample": lambda: [SymmetricDownsample2D(), CircularMask(), GroupConv2D(2, 3, "d2")],
    "twice": lambda: [SubgroupRestriction("d2", "c2"), GroupConv2D(2, 3, "c2")],
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_reordering_of_channels_moves_into_the_next_filter(name):
    layers = [lift("d4"), relu(), SubgroupRestriction("d4", "d2"), *FOLLOWING[name]()]
    folded = assert_folds(build(chain(*layers)), normalizations=name in ("normalisation", "batch"))
    assert "Take" not in kinds(folded)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [keras.layers.Flatten(), keras.layers.Dense(3)],
        [keras.layers.Activation("softmax")],
        [GroupPool("d2")],
        [FieldSqueezeExcite("d2", 2)],
        [GroupedConv2D(24, 3, groups=3), relu()],
        [GroupConv2D(6, 3, "d2", groups=3)],
        [keras.layers.AveragePooling2D(2, data_format="channels_first")],
    ],
    ids=["output", "flatten", "softmax", "pool", "gate", "groups", "blocks", "first"],
)
def test_else_channels_are_reordered(layers):
    """One after another order is asked for, as it is by layers that do not treat channels alike."""
    channels = 6 if "blocks" else 3
    body = chain(lift("d4", channels), relu(), SubgroupRestriction("d4", "d2"), *layers)
    assert "Take" in kinds(assert_folds(build(body)))


def test_a_reordering_after_a_filter_is_one_of_its_filters():
    """So that even what asks for the order itself is given it for nothing."""
    layers = [GroupConv2D(3, 1, "d4", use_bias=False), FieldNormalization("d4")]
    layers = [*layers, SubgroupRestriction("d4", "d2"), GroupPool("d2")]
    assert "Take" not in kinds(assert_folds(build(chain(lift("d4"), *layers))))


def test_an_order_that_is_the_same_is_left():
    """A regular field of d4 is two of c4, one after the other."""
    body = chain(lift("d4"), relu(), SubgroupRestriction("d4", "c4"), GroupPool("c4"))
    assert "Take" not in kinds(assert_folds(build(body)))


def test_a_reordering_seen_by_several():
    def body(x):
        x = SubgroupRestriction("d4", "d2")(relu()(lift("d4")(x)))
        return keras.layers.Add()([x, GroupConv2D(6, 3, "d2")(x)])

    assert kinds(assert_folds(build(body))).count("Take") == 1


def test_sums_and_rows_of_reordered_tensors():
    def rectangle(x):
        layer = GroupRectangularConv2D(3, (1, 3), "d4")
        return chain(layer, FieldNormalization("d4"), relu())(x)

    def body(x):
        x = lift("d4")(x)
        added = keras.layers.Add()([rectangle(x), rectangle(x)])
        row = keras.layers.Concatenate()([added, x, rectangle(x)])
        row = FieldNormalization("d4")(row)
        return GroupConv2D(2, 1, "d4")(row)

    folded = assert_folds(build(body), normalizations=1)
    assert "Take" not in kinds(folded)


def test_a_reordered_tensor_seen_by_several_is_left_as_it_is():
    """A filter before may not be reordered for one of those who see it."""

    def body(x):
        x = GroupRectangularConv2D(3, (1, 3), "d4")(lift("d4")(x))
        first = GroupConv2D(3, 3, "d4", strides=2)(x)
        second = SubgroupRestriction("d4", "d2")(x)
        return [first, GroupPool("d2")(second), GroupPool("d4")(x)]

    image = keras.Input((9, 9, 2))
    assert_folds(keras.Model(image, body(image)), images())
