"""What holds for every convolution layer: gradients, saving, half precision, another backend."""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from backends import by_the_tape

from lensnet.layers import (
    GroupConv2D,
    GroupDepthwiseConv2D,
    GroupedConv2D,
    GroupRectangularConv2D,
    GroupSeparableConv2D,
    RotationalConv2D,
    RotationalDepthwiseConv2D,
    RotationalRectangularConv2D,
)
from lensnet.testing import randomize

# From a name to a layer for 16 channels, with options of `keras.layers.Layer`.
LAYERS = {
    "c4": lambda **options: GroupConv2D(3, 3, "c4", **options),
    "c4 lifting": lambda **options: GroupConv2D(3, 3, "c4", lifting=True, **options),
    "d4 strided": lambda **options: GroupConv2D(3, 3, "d4", strides=2, **options),
    "d4 pointwise": lambda **options: GroupConv2D(3, 1, "d4", **options),
    "d4 full map": lambda **options: GroupConv2D(3, 9, "d4", padding="valid", **options),
    "c4 groups": lambda **options: GroupConv2D(4, 3, "c4", groups=2, **options),
    "c8": lambda **options: GroupConv2D(3, 5, "c8", **options),
    "c8 full map": lambda **options: GroupConv2D(3, 9, "c8", padding="valid", **options),
    "c8 groups": lambda **options: GroupConv2D(4, 5, "c8", groups=2, **options),
    "d8 dilated": lambda **options: GroupConv2D(2, 3, "d8", dilation_rate=2, **options),
    "c16": lambda **options: GroupConv2D(2, 5, "c16", strides=2, **options),
    "depthwise d4": lambda **options: GroupDepthwiseConv2D(3, "d4", **options),
    "depthwise c8": lambda **options: GroupDepthwiseConv2D(5, "c8", strides=2, **options),
    "separable c4": lambda **options: GroupSeparableConv2D(3, 3, "c4", **options),
    "separable c8": lambda **options: GroupSeparableConv2D(3, 5, "c8", strides=2, **options),
    "rectangular d4": lambda **options: GroupRectangularConv2D(3, (1, 7), "d4", **options),
    "rectangular c2": lambda **options: GroupRectangularConv2D(3, (3, 1), "c2", **options),
    "grouped": lambda **options: GroupedConv2D(32, 3, groups=8, **options),
    "rotational 4": lambda **options: RotationalConv2D(3, 3, **options),
    "rotational 8": lambda **options: RotationalConv2D(3, 5, rotations=8, **options),
    "rotational inputs": lambda **options: RotationalConv2D(3, 3, rotate="inputs", **options),
    "rotational full map": lambda **options: RotationalConv2D(3, 9, padding="valid", **options),
    "rotational depthwise": lambda **options: RotationalDepthwiseConv2D(3, **options),
    "rotational depthwise 8": lambda **options: RotationalDepthwiseConv2D(
        5, rotations=8, strides=2, **options
    ),
    "rotational rectangular": lambda **options: RotationalRectangularConv2D(
        3, (1, 7), padding="valid", **options
    ),
}


def images(dtype="float32", size=9):
    return np.random.default_rng(0).standard_normal((2, size, size, 16)).astype(dtype)


def model_of(name, **options):
    model = keras.Sequential([keras.Input((9, 9, 16)), LAYERS[name](**options)])
    randomize(model)
    return model


def answer(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def model_of_all():
    """One model with an output for each layer."""
    image = keras.Input((9, 9, 16))
    model = keras.Model(image, {name: layer(name=name)(image) for name, layer in LAYERS.items()})
    randomize(model)
    return model


def test_saved_and_loaded(tmp_path):
    model = model_of_all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected, actual = model(images()), loaded(images())
    for name in LAYERS:
        assert loaded.get_layer(name).get_config() == model.get_layer(name).get_config()
        np.testing.assert_array_equal(
            *(keras.ops.convert_to_numpy(each[name]) for each in (actual, expected)), name
        )


# Those that compute in ways of their own.
DIFFERENT = ["d4 strided", "d4 full map", "c4 groups", "c8", "c8 full map"]
DIFFERENT += ["depthwise d4", "depthwise c8", "separable c8", "rectangular d4", "grouped"]
DIFFERENT += ["rotational 4", "rotational 8", "rotational depthwise", "rotational rectangular"]


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        *((name, "mixed_bfloat16") for name in (*DIFFERENT, "rotational inputs", "d8 dilated")),
        *((name, "mixed_float16") for name in ("c4", "c8", "depthwise d4", "rotational 8")),
    ],
)
def test_half_precision(name, policy):
    resolution = 2.0**-8 if policy == "mixed_bfloat16" else 2.0**-11
    exact = answer(model_of(name), images())
    model = model_of(name, dtype=policy)
    outputs = model(images())
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    # Inputs, filters and outputs are each rounded: a few times the format's resolution.
    assert np.abs(outputs - exact).max() <= 4 * resolution * np.abs(exact).max()


@by_the_tape
@pytest.mark.parametrize("name", DIFFERENT)
def test_gradients_are_the_differences(name):
    """Along a random direction of weights and inputs, by central differences in float64."""
    import tensorflow as tf

    layer = LAYERS[name](dtype="float64")
    inputs = tf.Variable(images("float64"))
    layer.build(inputs.shape)
    randomize(layer)
    rng = np.random.default_rng(1)
    weight = tf.constant(rng.standard_normal(layer(inputs).shape))
    variables = [inputs, *(variable.value for variable in layer.trainable_variables)]
    direction = [rng.standard_normal(variable.shape) for variable in variables]

    def loss():
        return tf.reduce_sum(weight * layer(inputs))

    with tf.GradientTape() as tape:
        value = loss()
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(value, variables)]
    slope = sum(float(tf.reduce_sum(g * d)) for g, d in zip(gradients, direction, strict=True))

    def moved(step):
        for variable, d in zip(variables, direction, strict=True):
            variable.assign_add(step * d)
        return float(loss())

    # The loss is a polynomial of degree two or three; for the maximum of a rotational convolution,
    # which has kinks, the step is shorter still.
    step = 1e-7 if name.startswith("rotational") else 1e-5
    difference = (moved(step) - moved(-2 * step)) / (2 * step)
    scale = np.sqrt(sum(float(tf.reduce_sum(g**2)) for g in gradients))
    assert abs(slope - difference) <= 1e-6 * max(abs(slope), scale)
    assert abs(slope) > 0.01 * scale, "the direction tells nothing"


ON_JAX = """
import sys, keras, numpy, lensnet
folder = sys.argv[1]
model = keras.models.load_model(f"{folder}/model.keras")
answers = model.predict(numpy.load(f"{folder}/images.npy"), verbose=0)
numpy.savez(f"{folder}/answers.npz", **answers)
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
"""


@pytest.mark.processes
@pytest.mark.skipif(
    keras.backend.backend() == "jax" or importlib.util.find_spec("jax") is None,
    reason="compares the answers of another backend with those of JAX, which must be installed",
)
def test_jax_gives_the_same_answers(tmp_path):
    """With weights, inputs and arguments from files that this backend wrote."""
    model = model_of_all()
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images())
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    # Most of the time would go into compiling the random initial values.
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    subprocess.run([sys.executable, "-c", ON_JAX, str(tmp_path)], env=environment, check=True)
    answers = np.load(tmp_path / "answers.npz")
    assert set(answers) == set(LAYERS)
    for name, outputs in model(images()).items():
        expected = keras.ops.convert_to_numpy(outputs)
        assert np.abs(answers[name] - expected).max() <= 1e-5 * np.abs(expected).max(), name
