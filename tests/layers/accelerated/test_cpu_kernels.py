"""What is computed otherwise on a CPU: the same answers and gradients."""

import logging

import keras
import numpy as np
import pytest
from backends import only_on_tensorflow
from keras import ops

from lensnet.layers.accelerated import cpu_kernels
from lensnet.layers.accelerated.cpu_kernels import (
    depthwise_convolution,
    fuse_elementwise,
    fused_batch_normalization,
    has_fused_batch_normalization,
    should_fuse,
    sum_of_products,
)

needs_tensorflow = only_on_tensorflow("on other backends it is keras.ops itself")
LARGE = (2, 32, 16, 16)
# JAX has double precision only if told so before it starts.
DTYPES = ("float16", "float32", *(["float64"] if keras.backend.backend() != "jax" else []))


def normal(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def transform(x, scale, offset):
    return ops.tanh(x * scale) + offset


@pytest.mark.parametrize("shape", [LARGE, (3, 4, 4, 16), (2, 8192), (0, 64, 64, 16)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fused_function_answers_what_the_function_does(shape, dtype):
    x, scale, offset = (
        ops.convert_to_tensor(normal(s, dtype, seed))
        for seed, s in enumerate((shape, shape[-1:], shape[-1:]))
    )
    actual = fuse_elementwise(transform)(x, scale, offset)
    expected = numpy(transform(x, scale, offset))
    assert keras.backend.standardize_dtype(actual.dtype) == dtype
    precision = {"float16": 5e-3, "float32": 1e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(numpy(actual), expected, rtol=precision, atol=precision)


@needs_tensorflow
def test_only_large_tensors_are_compiled(monkeypatch):
    def eager(x):
        # Within a compiled function, a tensor has no value yet.
        return ops.full_like(x, 1.0 if hasattr(x, "numpy") else 2.0)

    run = fuse_elementwise(eager)
    assert numpy(run(ops.zeros(LARGE))).max() == 2
    assert numpy(run(ops.zeros((2, 4, 4, 16)))).max() == 1
    assert numpy(run(ops.zeros(LARGE, "float16"))).max() == 1
    monkeypatch.setattr(cpu_kernels, "on_cpus_alone", lambda: False)
    assert numpy(run(ops.zeros(LARGE))).max() == 1


@needs_tensorflow
def test_batches_of_any_size_share_a_trace():
    import tensorflow as tf

    traces = []

    def function(x):
        traces.append(x.shape)
        return x * 2

    run = tf.function(
        fuse_elementwise(function), input_signature=[tf.TensorSpec((None, *LARGE[1:]))]
    )
    for batch in (1, 5, 2):
        images = normal((batch, *LARGE[1:]))
        np.testing.assert_array_equal(numpy(run(images)), 2 * images)
    assert len(traces) == 1
    assert not should_fuse(keras.KerasTensor((2, None, 16, 16)))


@needs_tensorflow
def test_what_is_compiled_outlives_a_session():
    run, x = fuse_elementwise(lambda x: x + 1), ops.zeros(LARGE)
    run(x)
    keras.utils.clear_session()
    assert numpy(run(x)).max() == 1


@needs_tensorflow
def test_no_warning_of_tracing(caplog):
    # TensorFlow's logger hands nothing on by itself.
    logger = logging.getLogger("tensorflow")
    logger.addHandler(caplog.handler)
    try:
        run = fuse_elementwise(lambda x: x + 1)
        for side in range(128, 140):
            run(ops.zeros((1, side, side, 1)))
    finally:
        logger.removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


DEPTHWISE = [
    (sides, kernel_size, {"strides": strides, "padding": padding})
    for sides in [(11, 14), (4, 4)]
    for kernel_size in [(5, 5), (7, 7), (3, 5), (5, 4), (2, 6)]
    for strides in (1, 2, 3)
    for padding in ("same", "valid")
    if padding == "same" or (kernel_size[0] <= sides[0] and kernel_size[1] <= sides[1])
]
"""Maps, filters and options, wherever a window fits into the map or is padded."""


def gradients(function, inputs, kernel, upstream):
    import tensorflow as tf

    inputs, kernel = map(tf.constant, (inputs, kernel))
    with tf.GradientTape() as tape:
        tape.watch((inputs, kernel))
        outputs = function(inputs, kernel)
        total = ops.sum(outputs * upstream)
    return numpy(outputs), *map(numpy, tape.gradient(total, (inputs, kernel)))


@needs_tensorflow
@pytest.mark.parametrize(("sides", "kernel_size", "options"), DEPTHWISE)
def test_depthwise_gradients_are_those_of_keras_ops(sides, kernel_size, options):
    """In double precision, which leaves no doubt about a pixel's place."""
    inputs, kernel = normal((2, *sides, 6), "float64"), normal((*kernel_size, 6, 2), "float64", 1)
    shape = numpy(ops.depthwise_conv(inputs, kernel, **options)).shape
    upstream = normal(shape, "float64", 2)
    actual, expected = (
        gradients(lambda x, k, f=function: f(x, k, **options), inputs, kernel, upstream)
        for function in (depthwise_convolution, ops.depthwise_conv)
    )
    for one, other in zip(actual, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@needs_tensorflow
def test_wide_filters_are_kept_from_onednn():
    """Its kernel's name is the only sign: explicit padding is what it does not take."""
    import tensorflow as tf

    def paddings(width):
        @tf.function
        def step(x, kernel):
            with tf.GradientTape() as tape:
                tape.watch(kernel)
                outputs = depthwise_convolution(x, kernel, padding="same")
            return tape.gradient(outputs, kernel)

        graph = step.get_concrete_function(
            tf.TensorSpec((None, 8, 8, 4)), tf.TensorSpec((width, width, 4, 1))
        ).graph
        return [
            node.get_attr("padding").decode()
            for node in graph.get_operations()
            if node.type == "DepthwiseConv2dNativeBackpropFilter"
        ]

    assert paddings(5) == ["EXPLICIT"]
    assert paddings(3) == ["SAME"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": (2, 2), "padding": "same"},
        {"dilation_rate": 2},
        {"dilation_rate": (1, 1), "padding": "same"},
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_depthwise_answers_are_those_of_keras_ops(options, dtype):
    inputs, kernel = normal((2, 12, 12, 4), dtype), normal((5, 5, 4, 1), dtype, 1)
    inputs, kernel = map(ops.convert_to_tensor, (inputs, kernel))
    actual = depthwise_convolution(inputs, kernel, **options)
    expected = ops.depthwise_conv(inputs, kernel, **options)
    np.testing.assert_array_equal(numpy(actual), numpy(expected))


@needs_tensorflow
def test_a_map_of_unknown_size_is_kerass():
    image = keras.Input((None, None, 4))
    outputs = depthwise_convolution(image, keras.KerasTensor((5, 5, 4, 1)), padding="same")
    assert outputs.shape == (None, None, None, 4)


@pytest.mark.parametrize("shape", [LARGE, (1, 1, 1, 3), (2, 5, 7, 4), (5, 3), (2, 3, 4, 5, 6)])
@pytest.mark.parametrize("dtype", DTYPES[1:])
def test_sum_of_products(shape, dtype):
    x, y = normal(shape, dtype), normal(shape, dtype, 1)
    expected = np.sum(x.astype("float64") * y, axis=tuple(range(len(shape) - 1)))
    actual = numpy(sum_of_products(*map(ops.convert_to_tensor, (x, y))))
    precision = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(actual, expected, rtol=precision, atol=precision)


@needs_tensorflow
def test_fused_batch_normalization_against_double_precision():
    """Outputs, statistics and all gradients."""
    import tensorflow as tf

    x, gamma, beta = 3 + 2 * normal(LARGE), 1 + normal((16,), seed=1), normal((16,), seed=2)
    upstream = normal(LARGE, seed=3)

    def found(normalize, dtype):
        tensors = [tf.constant(values, dtype) for values in (x, gamma, beta)]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs, mean, variance = normalize(*tensors)
            total = ops.sum(outputs * tf.constant(upstream, dtype))
        return map(numpy, (outputs, mean, variance, *tape.gradient(total, tensors)))

    def definition(x, gamma, beta):
        mean, variance = ops.mean(x, axis=(0, 1, 2)), ops.var(x, axis=(0, 1, 2))
        return (x - mean) / ops.sqrt(variance + 1e-3) * gamma + beta, mean, variance

    actual = found(lambda *tensors: fused_batch_normalization(*tensors, 1e-3), "float32")
    for one, other in zip(actual, found(definition, "float64"), strict=True):
        assert np.abs(one - other).max() <= 3e-5 * np.abs(other).max()


@needs_tensorflow
@pytest.mark.parametrize(
    ("shape", "dtype", "has"),
    [
        ((2, 4, 4, 3), "float32", True),
        ((2, 4, 4, 3), "float64", False),
        ((2, 4, 3), "float32", False),
    ],
)
def test_which_tensors_a_fused_normalization_takes(shape, dtype, has):
    assert has_fused_batch_normalization(ops.zeros(shape, dtype)) is has
