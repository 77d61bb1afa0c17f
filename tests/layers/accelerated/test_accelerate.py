"""A stock model that is accelerated trains as before, and stays a stock model."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from backends import only_on_tensorflow

import lensnet
from lensnet.layers import GroupAveraged, GroupConv2D, accelerate, fold
from lensnet.testing import randomize

STOCK = keras.layers
SIZE = 32


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def images(batch=4):
    rng = np.random.default_rng(0)
    return rng.standard_normal((batch, SIZE, SIZE, 2)).astype("float32")


def body(kinds, x):
    """Each layer that is accelerated, on maps that are large enough for it."""
    x = STOCK.Conv2D(32, 3, padding="same", name="stem")(x)
    options = {"padding": "same", "use_bias": False}
    x = kinds.GroupedConv2D(32, 3, groups=4, name="groups.0.conv", **options)(x)
    x = kinds.BatchNormalization(name="norm")(x)
    x = kinds.Activation("silu", name="act")(x)
    x = kinds.DepthwiseConv2D(5, name="depthwise", **options)(x)
    return STOCK.GlobalAveragePooling2D(name="pool")(x)


class Stock:
    """The classes as Keras has them, under lensnet's names."""

    Activation = STOCK.Activation
    BatchNormalization = STOCK.BatchNormalization
    DepthwiseConv2D = STOCK.DepthwiseConv2D
    GroupedConv2D = STOCK.Conv2D


def network(kinds=Stock):
    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 2))
    model = keras.Model(image, STOCK.Dense(1, name="head")(body(kinds, image)))
    randomize(model)
    return model


def nested():
    keras.utils.set_random_seed(0)
    image, inner = keras.Input((SIZE, SIZE, 2)), keras.Input((SIZE, SIZE, 2))
    x = keras.Model(inner, body(Stock, inner), name="inner")(image)
    model = keras.Model(image, STOCK.Dense(1, name="head")(x))
    randomize(model)
    return model


def averaged():
    return GroupAveraged(network(), "c2")


def symmetric():
    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 2))
    x = GroupConv2D(8, 3, "c4", lifting=True, name="lift")(image)
    model = keras.Model(image, STOCK.Dense(1, name="head")(body(Stock, x)))
    randomize(model)
    return model


MODELS = {
    "plain": network,
    "nested": nested,
    "averaged": averaged,
    "symmetric": symmetric,
}
EVERY_MODEL = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def trained(model, steps=2, **options):
    """The variables after some steps of gradient descent, and those of the optimizer."""
    targets = np.random.default_rng(1).standard_normal((4, 1))
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9), "mse", jit_compile=False, **options)
    for _ in range(steps):
        model.train_on_batch(images(), targets)
    return [numpy(variable) for variable in (*model.variables, *model.optimizer.variables)]


@EVERY_MODEL
def test_it_trains_as_the_stock_model(make):
    stock, fast = make(), accelerate(make())
    np.testing.assert_allclose(
        numpy(fast(images(), training=False)), numpy(stock(images(), training=False)), atol=1e-5
    )
    before = [numpy(variable) for variable in stock.variables]
    # A graph takes seconds to make; that of one model shows what it adds.
    after = [trained(model, run_eagerly=make is not network) for model in (fast, stock)]
    for variable, mine, theirs in zip(before, *after, strict=False):
        change = np.abs(theirs - variable).max()
        assert change > 1e-4, "nothing was learnt"
        assert np.abs(mine - theirs).max() <= 0.01 * change


def test_it_trains_as_lensnets_own_layers():
    """Bit for bit: it is the same computation."""
    for mine, theirs in zip(
        trained(accelerate(network())), trained(network(lensnet.layers)), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@only_on_tensorflow("names the operations of a graph of TensorFlow's")
@EVERY_MODEL
def test_layers_within_models_are_accelerated(make):
    """In training; in inference all is as Keras has it, but for the groups."""
    import tensorflow as tf

    def operations(model, training):
        graph = (
            tf.function(lambda x: model(x, training=training))
            .get_concrete_function(tf.TensorSpec((None, SIZE, SIZE, 2)))
            .graph
        )
        return [node.type for node in graph.get_operations()]

    assert "FusedBatchNormV3" in operations(accelerate(make()), training=True)
    assert "FusedBatchNormV3" not in operations(make(), training=True)
    serving = operations(accelerate(make()), training=False)
    assert "FusedBatchNormV3" not in serving and "Conv2D" in serving
    # What is compiled is called.
    calls = {"StatefulPartitionedCall", "PartitionedCall"}
    assert calls & set(operations(make(), training=False))
    assert not calls & set(serving)
    assert calls & set(operations(accelerate(make()), training=True))


@EVERY_MODEL
def test_it_stays_a_stock_model(make, tmp_path):
    model = make()
    config, variables = model.get_config(), model.variables
    kinds = [type(layer) for layer in model.layers]
    assert accelerate(model) is model
    assert model.get_config() == config
    assert [type(layer) for layer in model.layers] == kinds
    assert all(one is other for one, other in zip(model.variables, variables, strict=True))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    again, other = keras.models.load_model(tmp_path / "model.keras"), make()
    other.load_weights(tmp_path / "model.weights.h5")
    assert [type(layer) for layer in again.layers] == kinds
    for loaded in (again, other):
        np.testing.assert_allclose(numpy(loaded(images())), numpy(model(images())), atol=1e-5)
    assert {type(layer).__module__.partition(".")[0] for layer in fold(model).layers} == {"keras"}


def test_a_plain_models_file_names_nothing_of_ours():
    assert "lensnet" not in accelerate(network()).to_json()


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions(precision):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        stock, fast = network(), accelerate(network())
    finally:
        keras.config.set_dtype_policy(before)
    expected, actual = (
        numpy(keras.ops.cast(model(images(), training=True), "float32")) for model in (stock, fast)
    )
    np.testing.assert_allclose(actual, expected, atol=1e-5 if precision == "float64" else 0.05)


def test_a_frozen_normalisation_keeps_its_statistics():
    model = accelerate(network())
    model.get_layer("norm").trainable = False
    before = model.get_layer("norm").get_weights()
    trained(model)
    for new, old in zip(model.get_layer("norm").get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize(("groups", "size"), [(1, 16), (4, 15)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_strided_filters_of_one_pixel(groups, size, padding):
    """They answer as they do by definition; a stock gradient of theirs may end the process."""
    layer = STOCK.Conv2D(8, 1, (2, 3), padding, groups=groups, use_bias=False)
    model = accelerate(keras.Sequential([keras.Input((size, size, 4)), layer]))
    randomize(model)
    seen = np.random.default_rng(0).standard_normal((2, size, size, 4)).astype("float32")
    kernel = numpy(layer.kernel)[0, 0]
    read = seen[:, ::2, ::3].reshape(2, -1, -(-size // 3), groups, 4 // groups)
    by_group = kernel.reshape(4 // groups, groups, 8 // groups)
    expected = np.einsum("nhwgi,igo->nhwgo", read, by_group)
    expected = expected.reshape(*expected.shape[:3], 8)
    np.testing.assert_allclose(numpy(model(seen)), expected, rtol=1e-5, atol=1e-6)


SMALL_TRAINING = """
import keras, numpy as np, lensnet
shape = (64, 64, 1)
model = lensnet.models.create("resnet18", input_shape=shape, num_outputs=1, width=0.125)
lensnet.layers.accelerate(model).compile("sgd", "mse", jit_compile=False)
for step in range(12):
    model.train_on_batch(np.ones((16 - step % 3, *shape), "f4"), np.ones((16 - step % 3, 1)))
"""


@pytest.mark.processes
def test_narrow_networks_train_to_the_end():
    """With TensorFlow's own gradient of strided 1x1 filters the process was killed."""
    done = subprocess.run([sys.executable, "-c", SMALL_TRAINING], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
