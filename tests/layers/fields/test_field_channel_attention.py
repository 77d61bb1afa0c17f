"""FieldChannelAttention against its definition, written as loops over fields and group elements."""

import itertools

import keras
import numpy as np
import pytest

from lensnet.layers import FieldChannelAttention
from lensnet.symmetry import Group
from lensnet.testing import randomize


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def built(name, kernel_size, **options):
    layer = FieldChannelAttention(name, kernel_size, **options)
    layer.build((None, 5, 4, 24))
    randomize(layer)
    return layer


def maps():
    """Of means that differ from channel to channel by about 1."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 1, 1, 24)) + rng.standard_normal((2, 5, 4, 24))


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("name", ["c4", "d4", "c8", "c1"])
def test_definition(name, kernel_size):
    """out[f, h] = in[f, h] sigmoid(sum over (d, j) of mean[f + d, j] w(d, h^-1 j))."""
    group, inputs = Group.parse(name), maps()
    layer = built(name, kernel_size, dtype="float64")
    (weights,) = map(numpy, layer.weights)
    means = inputs.mean(axis=(1, 2)).reshape(2, -1, group.order)
    fields, half = means.shape[1], kernel_size // 2
    gate = np.zeros(means.shape)
    for f, h, d, j in itertools.product(
        range(fields), range(group.order), range(-half, half + 1), range(group.order)
    ):
        if 0 <= f + d < fields:
            weight = weights[d + half, group.product(group.inverse(h), j)]
            gate[:, f, h] += means[:, f + d, j] * weight
    gate = 1 / (1 + np.exp(-gate.reshape(2, 1, 1, -1)))
    assert np.ptp(gate) > 0.1, "the gate depends on something"
    expected = inputs * gate
    assert np.abs(numpy(layer(inputs)) - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["c1", "c4", "d4"])
def test_the_expanded_kernel_is_a_stock_convolution_over_fields(name):
    """Of c1: over channels, as the paper has it."""
    order, inputs = Group.parse(name).order, maps().astype("float32")
    layer = built(name, 3)
    stock = keras.layers.Conv1D(order, 3, padding="same", use_bias=False, activation="sigmoid")
    means = inputs.mean(axis=(1, 2)).reshape(2, -1, order)
    stock.build(means.shape)
    stock.set_weights([numpy(layer.expanded_kernel())])
    gate = numpy(stock(means)).reshape(2, 1, 1, 24)
    np.testing.assert_allclose(numpy(layer(inputs)), inputs * gate, atol=2e-6)


def test_the_gate_sees_the_orientation():
    """It tells the channels of a field apart."""
    inputs = maps().astype("float32")
    gate = (numpy(built("c4", 3)(inputs)) / inputs)[:, 0, 0].reshape(2, 6, 4)
    assert np.ptp(gate, axis=-1).min() > 1e-2


def test_channel_attention_over_channels_fails_on_fields():
    """The negative control: ECA itself, whose neighbours are a field's channels."""
    group, inputs = Group(4), maps().astype("float32")

    def error(layer):
        reference = numpy(layer(inputs)).reshape(2, 5, 4, -1, 4)
        permutation = group.regular_permutation(1)
        permuted = inputs.reshape(reference.shape)[..., permutation].reshape(inputs.shape)
        answer = numpy(layer(permuted)).reshape(reference.shape)
        return np.abs(answer - reference[..., permutation]).max()

    assert error(built("c4", 3)) < 5e-6
    assert error(built("c1", 3)) > 0.1


def test_he_normal_counts_what_enters_a_gate():
    """4 taps' worth of 8 elements, and not of the 8 elements the outputs."""
    layer = FieldChannelAttention(
        "c16", 101, kernel_initializer=keras.initializers.HeNormal(seed=0)
    )
    layer.build((None, 4, 4, 16))
    weights = numpy(layer.kernel)
    assert abs(weights.var() * weights.size / 2 - 1) < 0.1


def test_the_mean_of_a_large_map_in_half_precision():
    """A sum of 90,000 ones is no number of float16."""
    layer = FieldChannelAttention("c4", 3, dtype="mixed_float16")
    outputs = layer(np.ones((1, 300, 300, 4), "float16"))
    assert np.isfinite(numpy(outputs)).all()


def test_images_of_any_size():
    image = keras.Input((None, None, 8))
    model = keras.Model(image, FieldChannelAttention("c4", 3)(image))
    assert model.output_shape == (None, None, None, 8)
    assert tuple(model(np.ones((2, 3, 2, 8), "float32")).shape) == (2, 3, 2, 8)


def test_options():
    layer = built("c4", 3, kernel_regularizer=keras.regularizers.L2(0.5))
    squares = (numpy(layer.kernel) ** 2).sum()
    np.testing.assert_allclose(float(sum(layer.losses)), 0.5 * squares, rtol=1e-5)


@pytest.mark.parametrize("kernel_size", [0, 2, 3.0])
def test_kernel_size(kernel_size):
    with pytest.raises(ValueError, match="an odd positive integer"):
        FieldChannelAttention("c4", kernel_size)
