"""Adam and AdamW by a kernel of TensorFlow's: the steps of Keras's, in less time."""

import keras
import numpy as np
import pytest

from lensnet import optimizers
from lensnet.optimizers import cpu_kernels

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the kernel is TensorFlow's"
)
SCHEDULE = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=150)


def variables():
    rng = np.random.default_rng(0)
    return [
        keras.Variable(rng.normal(size=shape), dtype="float32", name=name)
        for name, shape in (("kernel", (20, 7)), ("bias", (7,)))
    ]


def step_of(optimizer, those, **compiling):
    """What takes a step along gradients, compiled as `fit` compiles it."""
    import tensorflow as tf

    optimizer.build(those)
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=those[1:])

    @tf.function(autograph=False, **compiling)
    def step(*gradients):
        optimizer.apply(list(gradients), those)

    return step


def after(optimizer, steps, **compiling):
    """Weights and state after steps along the same gradients, of all sizes."""
    import tensorflow as tf

    those, rng = variables(), np.random.default_rng(1)
    step = step_of(optimizer, those, **compiling)
    for _ in range(steps):
        scale = rng.lognormal()
        step(*(tf.constant(scale * rng.normal(size=v.shape), tf.float32) for v in those))
    return [keras.ops.convert_to_numpy(v) for v in (*those, *optimizer.variables)]


@needs_tensorflow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("AdamW", {"learning_rate": SCHEDULE, "weight_decay": 0.1}),
        ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.05, "gradient_accumulation_steps": 4}),
        ("Adam", {"learning_rate": 0.01, "global_clipnorm": 0.1, "beta_1": 0.0}),
        ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    ],
    ids=["decay", "accumulation", "clipping", "amsgrad"],
)
def test_weights_after_a_hundred_steps_are_those_of_keras(name, options):
    ours = after(getattr(optimizers, name)(**options), 100)
    theirs = after(getattr(keras.optimizers, name)(**options), 100)
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-6)
    # The kernel's mean of squares is of another rounding of beta.
    for mine, other in zip(ours[2:], theirs[2:], strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=1e-6)


@needs_tensorflow
def test_a_step_compiled_by_xla_is_the_same():
    plain, compiled = (
        after(optimizers.AdamW(0.01, weight_decay=0.1), 3, jit_compile=compiles)
        for compiles in (False, True)
    )
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@needs_tensorflow
def test_where_the_kernel_is_used():
    import tensorflow as tf

    those = [keras.Variable(np.ones(3), dtype="float32")]
    gradients = [tf.ones(3)]
    sparse = tf.IndexedSlices(tf.ones(1), tf.constant([0]), tf.constant([3]))
    half = [keras.Variable(np.ones(3), dtype="bfloat16")]
    assert cpu_kernels.has_adam_kernel(those, gradients)
    assert not cpu_kernels.has_adam_kernel(those, [sparse])
    assert not cpu_kernels.has_adam_kernel(half, gradients)
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        assert cpu_kernels.has_adam_kernel(those, gradients)
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        assert not cpu_kernels.has_adam_kernel(those, gradients)


@needs_tensorflow
def test_a_loaded_optimizer_goes_on_bit_for_bit():
    """With the state that a checkpoint keeps."""
    import tensorflow as tf

    first, those = optimizers.AdamW(SCHEDULE, weight_decay=0.1), variables()
    gradients = [tf.ones(variable.shape) for variable in those]
    step_of(first, those)(*gradients)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(first))
    assert type(again) is optimizers.AdamW
    copies = variables()
    go_on = step_of(again, copies)
    kept = zip((*those, *first.variables), (*copies, *again.variables), strict=True)
    for variable, copy in kept:
        copy.assign(keras.ops.convert_to_numpy(variable))
    for _ in range(3):
        step_of(first, those)(*gradients)
        go_on(*gradients)
    for one, other in zip(those, copies, strict=True):
        np.testing.assert_array_equal(np.asarray(one.value), np.asarray(other.value))
