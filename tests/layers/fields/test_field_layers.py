"""What every layer here that is not a convolution must do, over one table of them."""

import keras
import numpy as np
import pytest
from backends import by_the_tape

from lensnet import layers
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

# 48 channels are whole fields of every group here: 12, 6, 6 and 3 of them.
SHAPE = (9, 9, 48)

LAYERS = {
    "layer normalization": lambda group, **o: layers.FieldLayerNormalization(group, **o),
    "gate": lambda group, **o: layers.FieldSqueezeExcite(
        group, reduced_fields=2, gate_activation="hard_sigmoid", **o
    ),
    "channel gate": lambda group, **o: layers.FieldChannelAttention(group, kernel_size=3, **o),
    "scale": lambda group, **o: layers.FieldScale(group, **o),
    "dropout": lambda group, **o: layers.FieldDropout(group, 0.3, seed=1, **o),
    "drop path": lambda group, **o: layers.DropPath(0.3, seed=1, **o),
    "drop block": lambda group, **o: layers.FieldDropBlock(group, 0.3, block_size=3, seed=1, **o),
    "circular mask": lambda group, **o: layers.CircularMask(edge_width_pixels=2.5, **o),
    "downsample": lambda group, **o: layers.SymmetricDownsample2D(strides=2, **o),
    "restriction": lambda group, **o: layers.SubgroupRestriction(group, "c4", **o),
    "group pool, max": lambda group, **o: layers.GroupPool(group, mode="max", **o),
    "group pool, mean": lambda group, **o: layers.GroupPool(group, mode="mean", **o),
}
# They answer in other fields than they are asked in; their own tests say which.
SAME_FIELDS = [
    name for name in LAYERS if name not in ("restriction", "group pool, max", "group pool, mean")
]
RANDOM = ["dropout", "drop path", "drop block"]


def permuted(values, group, element):
    """A stack of fields, no pixel moved, as the element transforms it."""
    fields = values.reshape(*values.shape[:-1], -1, group.order)
    return fields[..., group.regular_permutation(element)].reshape(values.shape)


def built(name, group, shape=(None, *SHAPE)):
    layer = LAYERS[name](group)
    layer.build(shape)
    randomize(layer)
    return layer


@pytest.fixture
def inputs():
    return (1 + np.random.default_rng(0).standard_normal((2, *SHAPE))).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize(
    ("name", "group_name"), [*((name, "d8") for name in SAME_FIELDS), ("gate", "c4")]
)
def test_permuting_channels_before_is_permuting_them_after(name, group_name, inputs):
    """For every group, those that the pixel grid does not have included."""
    group = Group.parse(group_name)
    layer = built(name, group_name)
    reference = numpy(layer(inputs))
    for element in range(group.order):
        answer = numpy(layer(permuted(inputs, group, element)))
        # Sums of 48 terms of order one, in another order.
        np.testing.assert_allclose(answer, permuted(reference, group, element), atol=5e-6)


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, 9) for name in SAME_FIELDS), ("circular mask", 8), ("downsample", 8)],
)
def test_rotating_the_map_before_is_rotating_it_after(name, size):
    lifted = layers.GroupConv2D(6, 3, "d4", lifting=True)
    layer = built(name, "d4", (None, size, size, 48))
    images = np.random.default_rng(0).standard_normal((2, size, size, 2)).astype("float32")
    assert_equivariant(lambda x: layer(lifted(x)), images, "d4", outputs="regular")


@pytest.mark.parametrize(
    ("stock", "least"),
    [
        (keras.layers.LayerNormalization(), 0.1),
        (keras.layers.AveragePooling2D(2, strides=2), 0.01),
        (keras.layers.Conv2D(48, 1), 0.1),
    ],
    ids=["layer normalization", "2x2 means of an odd map", "pointwise convolution"],
)
def test_stock_layers_fail_the_same_check(stock, least):
    lifted = layers.GroupConv2D(12, 3, "c4", lifting=True)
    images = np.random.default_rng(0).standard_normal((2, 9, 9, 2)).astype("float32")
    stock(lifted(images))
    randomize(stock)
    error = equivariance_error(
        lambda x: stock(lifted(x)), images, Group.parse("c4"), outputs="regular"
    )
    assert error > least


def test_a_saved_model_is_the_same(inputs, tmp_path):
    image = keras.Input(SHAPE)
    outputs = [layer("d4", name=name)(image) for name, layer in LAYERS.items()]
    model = keras.Model(image, outputs)
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    expected, actual = model(inputs), again(inputs)
    for i, name in enumerate(LAYERS):
        np.testing.assert_array_equal(numpy(actual[i]), numpy(expected[i]), name)
        assert again.get_layer(name).get_config() == model.get_layer(name).get_config()
        shape = (None, *expected[i].shape[1:])
        assert again.output_shape[i] == model.output_shape[i] == shape


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        *((name, "mixed_bfloat16") for name in LAYERS),
        *((name, "mixed_float16") for name in ("layer normalization", "gate", "drop block")),
    ],
)
def test_half_precision(name, policy, inputs):
    """To the digits of the type: 8 bits of bfloat16, 11 of float16."""
    whole, half = LAYERS[name]("d4"), LAYERS[name]("d4", dtype=policy)
    expected = numpy(whole(inputs))
    outputs = half(inputs)
    half.set_weights(whole.get_weights())
    outputs = half(inputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    digits = 2**-7 if policy == "mixed_bfloat16" else 2**-10
    actual = numpy(keras.ops.cast(outputs, "float32"))
    assert np.abs(actual - expected).max() <= 2 * digits * np.abs(expected).max()
    assert np.isfinite(numpy(keras.ops.cast(half(inputs, **training(name)), "float32"))).all()


def test_it_trains(inputs):
    """One compiled step changes every weight that is to be learned."""
    image = keras.Input(SHAPE)
    branches = []
    for layer in LAYERS.values():
        x = layer("d4")(keras.layers.Dense(48)(image))
        branches.append(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, keras.layers.Concatenate()(branches))
    model.compile("sgd", "mse", jit_compile=False)
    before = [numpy(weight) for weight in model.trainable_weights]
    targets = np.random.default_rng(1).standard_normal((2, model.output_shape[-1]))
    model.train_on_batch(inputs, targets)
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert np.isfinite(numpy(weight)).all() and (numpy(weight) != old).any(), weight.path


@by_the_tape
@pytest.mark.parametrize("name", [name for name in LAYERS if name not in RANDOM])
def test_gradients_are_those_of_finite_differences(name, inputs):
    """Along a random direction of the inputs and the weights together, in double precision."""
    import tensorflow as tf

    layer = LAYERS[name]("d4", dtype="float64")
    layer.build((None, *SHAPE))
    randomize(layer)
    rng = np.random.default_rng(0)
    points = [tf.Variable(inputs.astype("float64"))]
    points += [weight.value for weight in layer.trainable_weights]
    directions = [rng.standard_normal(point.shape) for point in points]
    mixture = rng.standard_normal(layer(inputs.astype("float64")).shape)

    def value():
        return tf.reduce_sum(tf.convert_to_tensor(layer(points[0])) * mixture)

    def value_at(step):
        for point, direction in zip(points, directions, strict=True):
            point.assign_add(step * direction)
        return float(value())

    with tf.GradientTape() as tape:
        answer = value()
    gradients = tape.gradient(answer, points)
    slope = sum(
        float(tf.reduce_sum(gradient * direction))
        for gradient, direction in zip(gradients, directions, strict=True)
    )
    step = 1e-6
    after, before = value_at(step), value_at(-2 * step)
    # Central differences: step^2 of curvature, and 1e-16 / step of rounding.
    assert (after - before) / (2 * step) == pytest.approx(slope, rel=1e-6)


def training(name):
    return {"training": True} if name in RANDOM else {}


@pytest.mark.parametrize("name", RANDOM)
def test_draws_follow_the_seed_and_stop_after_training(name, inputs):
    one, same = (LAYERS[name]("d4") for _ in range(2))
    first, second = (numpy(one(inputs, training=True)) for _ in range(2))
    assert (first != second).any(), "each call draws anew"
    np.testing.assert_array_equal(numpy(same(inputs, training=True)), first)
    np.testing.assert_array_equal(numpy(one(inputs, training=False)), inputs)
    np.testing.assert_array_equal(numpy(one(inputs)), inputs)


@pytest.mark.parametrize(
    "name", ["layer normalization", "gate", "channel gate", "scale", "dropout", "drop block"]
)
def test_channels_that_are_not_whole_fields(name):
    with pytest.raises(ValueError, match="12 channels are not whole fields of d4"):
        LAYERS[name]("d4").build((None, 9, 9, 12))
