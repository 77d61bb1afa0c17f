"""BatchNormalization against its definition in double precision, and against Keras's layer."""

import keras
import numpy as np
import pytest

from lensnet.layers import BatchNormalization, FieldNormalization, fold
from lensnet.layers.accelerated import batch_normalization, cpu_kernels
from lensnet.layers.accelerated.devices import on_cpus_alone


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.fixture(params=[(4, 7, 5, 6), (8, 6), (2, 3, 4, 5, 6)])
def inputs(request):
    rng = np.random.default_rng(0)
    return (30 + 2 * rng.standard_normal(request.param)).astype("float32")


def products_by_passes(x, y):
    return cpu_kernels.sum_over_batch(x * y)


WAYS = ("fused", "fuse_elementwise", "passes")


@pytest.fixture(params=WAYS if keras.backend.backend() == "tensorflow" else ["passes"])
def way(request, monkeypatch):
    """Each way in which maps may be normalised, of which their size and type decide."""
    if request.param != "fused":
        monkeypatch.setattr(batch_normalization, "has_fused_batch_normalization", lambda x: False)
    if request.param == "fuse_elementwise":
        monkeypatch.setattr(cpu_kernels, "LEAST_VALUES", 1)
    if request.param == "passes":
        monkeypatch.setattr(batch_normalization, "sum_of_products", products_by_passes)


def weighted(kind, inputs, **options):
    layer = kind(momentum=0.75, epsilon=1e-3, **options)
    layer.build(inputs.shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.uniform(0.5, 2, weight.shape))
    return layer


@pytest.mark.skipif(
    not on_cpus_alone(),
    reason="with a GPU or another backend Keras's formula is used, which rounds ten times more",
)
def test_definition(inputs, way):
    layer = weighted(BatchNormalization, inputs)
    gamma, beta, before_mean, before_variance = map(numpy, layer.weights)
    outputs = numpy(layer(inputs, training=True))
    values = inputs.reshape(-1, 6).astype("float64")
    mean, variance = values.mean(axis=0), values.var(axis=0)
    expected = (values - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    # Of a mean of 30 at a deviation of 2, single precision leaves 1e-6 of a deviation.
    np.testing.assert_allclose(outputs, expected.reshape(inputs.shape), atol=2e-5)
    np.testing.assert_allclose(
        numpy(layer.moving_mean), 0.75 * before_mean + 0.25 * mean, rtol=1e-6
    )
    np.testing.assert_allclose(
        numpy(layer.moving_variance), 0.75 * before_variance + 0.25 * variance, rtol=1e-5
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options", [{}, {"center": False}, {"scale": False}, {"axis": 1}, {"trainable": False}]
)
def test_answers_are_kerass(inputs, options, training, way):
    ours, stock = (
        weighted(kind, inputs, **options)
        for kind in (BatchNormalization, keras.layers.BatchNormalization)
    )
    actual = numpy(ours(inputs, training=training))
    np.testing.assert_allclose(actual, numpy(stock(inputs, training=training)), atol=5e-5)
    for mine, theirs in zip(ours.weights, stock.weights, strict=True):
        np.testing.assert_allclose(numpy(mine), numpy(theirs), rtol=1e-5)


def after_a_step(kind, images, targets):
    """The weights of a small network after a step of gradient descent."""
    keras.utils.set_random_seed(0)
    image = keras.Input(images.shape[1:])
    x = keras.layers.Conv2D(8, 3, name="first")(image)
    x = keras.layers.Activation("tanh")(kind(name="norm")(x))
    x = keras.layers.Conv2D(8, 3, name="second")(x)
    model = keras.Model(image, keras.layers.Flatten()(x))
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * rng.standard_normal(weight.shape))
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    before = [numpy(weight) for weight in model.weights]
    model.train_on_batch(images, targets)
    return [numpy(weight) - old for weight, old in zip(model.weights, before, strict=True)]


def test_the_gradient_is_the_one_that_keras_derives(way):
    """For the weights after the normalisation, its own, and those before it."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((4, 8, 8, 2)).astype("float32")
    targets = rng.standard_normal((4, 128)).astype("float32")
    ours = after_a_step(BatchNormalization, images, targets)
    stock = after_a_step(keras.layers.BatchNormalization, images, targets)
    assert len(ours) == 8
    for index, (mine, theirs) in enumerate(zip(ours, stock, strict=True)):
        # The offset before a normalisation changes nothing: its gradient is rounding alone.
        tolerance = 1e-7 if index == 1 else 1e-5 * np.abs(theirs).max()
        assert np.abs(mine - theirs).max() <= tolerance, index


def test_the_gradient_over_fields_is_the_one_over_repeated_channels(way):
    """A field whose channels are equal has the statistics of each of them."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((4, 5, 5, 3)).astype("float32")
    image = keras.Input((5, 5, 3))
    kernel = np.repeat(np.eye(3), 4, axis=1)[None, None]
    changes = []
    for norm in (FieldNormalization("c4"), BatchNormalization(epsilon=1e-5)):
        spread = keras.layers.Conv2D(12, 1, use_bias=False)
        model = keras.Model(image, keras.ops.square(norm(spread(image)) - 0.5))
        spread.set_weights([kernel])
        model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
        model.train_on_batch(maps, np.zeros((4, 5, 5, 12), "float32"))
        changes.append(numpy(spread.kernel) - kernel)
    np.testing.assert_allclose(changes[0], changes[1], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1, 4), (3, 4, 5, 1), (2, 3, 3, 4)])
def test_values_that_are_all_the_same(shape, way):
    """One value of each channel alone, or no contrast."""
    layer = BatchNormalization(momentum=0.0)
    outputs = numpy(layer(np.full(shape, 7.0, "float32"), training=True))
    np.testing.assert_allclose(outputs, 0, atol=1e-4)  # of 7 / sqrt(epsilon)
    np.testing.assert_array_equal(numpy(layer.moving_mean), 7)
    np.testing.assert_array_equal(numpy(layer.moving_variance), 0)


def test_half_precision_does_not_overflow():
    inputs = np.full((2, 8, 8, 4), 300.0, "float16")
    outputs = numpy(BatchNormalization(dtype="mixed_float16")(inputs, training=True))
    assert outputs.dtype == "float16" and np.abs(outputs).max() < 1e-2


def test_masks_of_positions_are_kerass():
    inputs = np.random.default_rng(0).standard_normal((4, 7, 5, 6)).astype("float32")
    mask = np.random.default_rng(2).random(inputs.shape[:-1]) < 0.5
    answers = [
        numpy(weighted(kind, inputs)(inputs, training=True, mask=mask))
        for kind in (BatchNormalization, keras.layers.BatchNormalization)
    ]
    np.testing.assert_allclose(*answers, atol=1e-6)


def test_saved_loaded_and_folded(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 2)), keras.layers.Conv2D(4, 3), BatchNormalization(name="norm")]
    )
    for weight in model.weights:
        weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    images = np.random.default_rng(1).standard_normal((2, 8, 8, 2)).astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.get_layer("norm")) is keras.layers.BatchNormalization
    np.testing.assert_array_equal(numpy(again(images)), numpy(model(images)))
    folded = fold(model)
    assert [type(layer).__name__ for layer in folded.layers] == ["InputLayer", "Conv2D"]
    np.testing.assert_allclose(numpy(folded(images)), numpy(model(images)), rtol=1e-5, atol=1e-5)
