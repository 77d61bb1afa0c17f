import keras
import numpy as np
import pytest
from equivariance import randomize

from lensnet.layers import FieldNormalization, GroupConv2D, GroupPool, RotationalConv2D, fold


def images(size=9, channels=2):
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, size, size, channels)).astype("float32")


def assert_folds(model, inputs, normalizations):
    """The folded model is equal, stock, and has so many normalisations left."""
    randomize(model)
    folded = fold(model)
    expected = model.predict_on_batch(inputs)
    actual = folded.predict_on_batch(inputs)
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()
    assert all(type(layer).__module__.startswith("keras.") for layer in folded.layers)
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert kinds.count("BatchNormalization") == normalizations
    assert folded.name == model.name
    return folded


def build(body, size=9, channels=2):
    image = keras.Input((size, size, channels))
    return keras.Model(image, body(image))


def normalized(layer, normalization):
    return lambda x: normalization(layer(x))


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("strides", "padding", "dilation"),
    [(1, "same", 1), (2, "same", 1), (2, "valid", 1), (1, "same", 2), (2, "same", 2)],
)
@pytest.mark.parametrize("group", ["c4", "d4"])
def test_group_convolution_and_normalisation_become_one(
    group, strides, padding, dilation, use_bias
):
    layer = GroupConv2D(
        3, 3, group, lifting=True, strides=strides, padding=padding, dilation_rate=dilation,
        use_bias=use_bias,
    )  # fmt: skip
    model = build(normalized(layer, FieldNormalization(group)))
    assert_folds(model, images(), normalizations=0)


def test_a_filter_that_covers_the_map():
    layers = [GroupConv2D(4, 3, "d4", lifting=True), GroupConv2D(4, 9, "d4", padding="valid")]
    assert_folds(build(lambda x: layers[1](layers[0](x))), images(), normalizations=0)


def test_a_normalisation_of_nothing_linear_stays():
    """Before an activation's output, as in ResNetV2."""

    def body(x):
        x = keras.layers.Activation("relu")(GroupConv2D(3, 3, "c4", lifting=True)(x))
        return GroupConv2D(3, 3, "c4")(FieldNormalization("c4", epsilon=1e-3)(x))

    assert_folds(build(body), images(), normalizations=1)


def test_a_convolution_that_others_see_is_left_as_it_is():
    def body(x):
        x = GroupConv2D(3, 3, "c4", lifting=True)(x)
        return keras.layers.Add()([FieldNormalization("c4")(x), x])

    assert_folds(build(body), images(), normalizations=1)


def test_a_convolution_that_is_also_an_output():
    image = keras.Input((9, 9, 2))
    x = GroupConv2D(3, 3, "c4", lifting=True)(image)
    model = keras.Model(image, [x, FieldNormalization("c4")(x)])
    randomize(model)
    for mine, theirs in zip(model(images()), fold(model)(images()), strict=True):
        mine, theirs = (keras.ops.convert_to_numpy(values) for values in (mine, theirs))
        np.testing.assert_allclose(theirs, mine, atol=1e-5 * np.abs(mine).max())


def test_a_normalisation_without_scale_and_offset():
    normalization = FieldNormalization("c4", center=False, scale=False)
    model = build(normalized(GroupConv2D(3, 3, "c4", lifting=True), normalization))
    assert_folds(model, images(), normalizations=0)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("rotations", [4, 8])
def test_rotational_convolution(rotations, strides):
    layer = RotationalConv2D(5, 3, rotations=rotations, strides=strides)
    model = build(normalized(layer, keras.layers.BatchNormalization()))
    assert_folds(model, images(), normalizations=1)


def test_turned_inputs_are_refused_by_name():
    model = build(RotationalConv2D(5, 3, rotate="inputs", name="first"))
    with pytest.raises(ValueError, match='"first" turns its inputs'):
        fold(model)


@pytest.mark.parametrize("mode", ["max", "mean"])
@pytest.mark.parametrize("flat", [True, False])
def test_group_pool(mode, flat):
    def body(x):
        x = GroupConv2D(3, 3, "d4", lifting=True)(x)
        x = keras.layers.GlobalAveragePooling2D()(x) if flat else x
        return GroupPool("d4", mode=mode)(x)

    assert_folds(build(body), images(), normalizations=0)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.DepthwiseConv2D(3, use_bias=False, depth_multiplier=2),
        keras.layers.Dense(4),
    ],
    ids=["convolution", "depthwise", "dense"],
)
def test_stock_layers_take_their_normalisation_in(layer):
    model = build(normalized(layer, keras.layers.BatchNormalization()))
    assert_folds(model, images(), normalizations=0)


def test_a_layer_with_an_activation_takes_nothing_in():
    layer = keras.layers.Conv2D(4, 3, activation="relu")
    model = build(normalized(layer, keras.layers.BatchNormalization()))
    assert_folds(model, images(), normalizations=1)


def test_sequential_nested_and_shared_parts():
    inner = keras.Sequential(
        [keras.Input((9, 9, 2)), GroupConv2D(3, 3, "c4", lifting=True), FieldNormalization("c4")]
    )
    image = keras.Input((9, 9, 2))
    model = keras.Model(image, keras.ops.add(inner(image), 1.0))
    randomize(model)
    expected = keras.ops.convert_to_numpy(model(images()))
    actual = keras.ops.convert_to_numpy(fold(model)(images()))
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())
    assert_folds(inner, images(), normalizations=0)


def test_the_model_given_is_not_changed():
    model = build(normalized(GroupConv2D(3, 3, "c4", lifting=True), FieldNormalization("c4")))
    randomize(model)
    before, layers = model.get_weights(), list(model.layers)
    folded = fold(model)
    folded.set_weights([np.zeros_like(weight) for weight in folded.get_weights()])
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)
    assert model.layers == layers


def test_a_folded_model_is_saved_and_loaded_without_us(tmp_path):
    model = build(normalized(GroupConv2D(3, 3, "c4", lifting=True), FieldNormalization("c4")))
    folded = assert_folds(model, images(), normalizations=0)
    folded.save(tmp_path / "folded.keras")
    again = keras.models.load_model(tmp_path / "folded.keras")
    inputs = images()
    np.testing.assert_array_equal(again.predict_on_batch(inputs), folded.predict_on_batch(inputs))


def test_an_unknown_layer_is_named():
    class Mine(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match='"mine" \\(Mine\\) has no form'):
        fold(build(Mine(name="mine")))
