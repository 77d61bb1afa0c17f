import math

import keras
import numpy as np
import pytest

from lensnet.errors import ConfigurationError
from lensnet.models.kit import make_kit
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

CONVOLUTIONS = {
    "conv": lambda kit, x: kit.conv(x, 16, 3, name="s"),
    "strided conv": lambda kit, x: kit.conv(x, 16, 3, strides=2, name="s"),
    "strided 7x7": lambda kit, x: kit.conv(x, 16, 7, strides=2, name="s"),
    "strided pointwise": lambda kit, x: kit.conv(x, 16, 1, strides=2, name="s"),
    "strided valid": lambda kit, x: kit.conv(x, 16, 3, strides=2, padding="valid", name="s"),
    "patches of 4": lambda kit, x: kit.conv(x, 16, 4, strides=4, padding="valid", name="s"),
    "padded as tensorflow": lambda kit, x: kit.conv(
        x, 16, 3, strides=2, padding="tensorflow", name="s"
    ),
    "larger than the map": lambda kit, x: kit.conv(x, 16, 21, strides=2, padding="valid", name="s"),
    "groups": lambda kit, x: kit.conv(x, 16, 3, groups=4, name="s"),
    "rectangular": lambda kit, x: kit.conv(kit.conv(x, 16, (1, 7), name="s"), 16, (7, 1), name="t"),
    "strided lift": lambda kit, x: kit.lift(x, 16, 3, strides=2, name="s"),
    "depthwise": lambda kit, x: kit.depthwise(x, 5, name="s"),
    "strided depthwise": lambda kit, x: kit.depthwise(x, 3, strides=2, use_bias=True, name="s"),
    "full map": lambda kit, x: kit.full_map_conv(x, 16, name="s"),
}
"""Whose layers and windows are others for every kind of symmetry."""

POOLS = {
    "max pool 2": lambda kit, x: kit.max_pool(x, 2, strides=2, name="s"),
    "max pool 3": lambda kit, x: kit.max_pool(
        kit.activation(x, "relu", name="a"), 3, strides=2, padding="same", name="s"
    ),
    "max pool of any sign": lambda kit, x: kit.max_pool(x, 3, strides=2, padding="same", name="s"),
    "max pool larger than the map": lambda kit, x: kit.max_pool(x, 21, strides=2, name="s"),
    "mean pool": lambda kit, x: kit.avg_pool(x, 2, strides=2, name="s"),
    "mean pool same": lambda kit, x: kit.avg_pool(x, 3, strides=1, padding="same", name="s"),
    "mean pool counting zeros": lambda kit, x: kit.avg_pool(
        x, 3, strides=1, padding="same", count_padding=True, name="s"
    ),
    "downsample": lambda kit, x: kit.downsample(x, 2, name="s"),
}
"""Whose windows follow the map's parity, alike in every symmetry."""

BY_FIELD = {
    "norm": lambda kit, x: kit.norm(x, name="s"),
    "layer norm": lambda kit, x: kit.layer_norm(x, name="s"),
    "scale": lambda kit, x: kit.scale(x, initial=1e-6, name="s"),
    "squeeze excite": lambda kit, x: kit.squeeze_excite(x, 8, name="s"),
    "channel attention": lambda kit, x: kit.channel_attention(x, 3, name="s"),
    "dropout": lambda kit, x: kit.dropout(x, 0.5, name="s"),
    "drop path": lambda kit, x: kit.drop_path(x, 0.5, name="s"),
}
"""Whose layers are others for fields than for scalar features."""

ALIKE = {
    "adaptive pool": lambda kit, x: kit.adaptive_pool(x, 7, name="s"),
    "adaptive pool to more": lambda kit, x: kit.adaptive_pool(x, (23, 23), name="s"),
    "global pool": lambda kit, x: kit.conv(kit.global_pool(x, name="s"), 16, 1, name="t"),
    "concatenate": lambda kit, x: kit.concatenate([x, x], name="s"),
    "split": lambda kit, x: kit.split(kit.conv(x, 32, 3, divisible_by=2, name="s"), 2, name="t")[1],
    "like another map": lambda kit, x: kit.add(
        [x, kit.conv(x, 5, 1, like=x, use_bias=True, name="s")], name="t"
    ),
    "rescale": lambda kit, x: kit.rescale(x, 0.1, name="s"),
    "leaky": lambda kit, x: kit.activation(x, "leaky_relu", name="s"),
    "leaky sum": lambda kit, x: kit.activation(kit.add([x, x], name="s"), "leaky_relu", name="t"),
    "stage": lambda kit, x: kit.stage(x, "1"),
}
"""Whose layers every kit shares."""

STEPS = {**CONVOLUTIONS, **POOLS, **BY_FIELD, **ALIKE}


def combinations():
    """Every step, with each symmetry whose code is another; sizes of 16 and 17 pixels by turns.

    A convolution with a stride gets both sizes in one symmetry, and a pooling too.
    """
    for number, step in enumerate(CONVOLUTIONS):
        symmetries = ["d4", "c8", "rot4", "rot8", "rot4_inputs"]
        if "depthwise" in step:
            symmetries.remove("rot4_inputs")
        for place, symmetry in enumerate(symmetries):
            yield step, symmetry, 16 + (number + place) % 2
        if "strided" in step or step in ("patches of 4", "padded as tensorflow"):
            yield step, "c4", 16
            yield step, "c4", 19
    for step in POOLS:
        yield step, "c8", 16
        yield step, "rot4", 17
    for number, step in enumerate(BY_FIELD):
        yield step, "d4", 16 + number % 2
        yield step, "rot4", 17 - number % 2
    for number, step in enumerate(ALIKE):
        yield step, "d4", 16 + number % 2


def build(symmetry, size, step):
    """A lifting convolution, one step of a kit, and the invariant read-out.

    Returns:
        the model, and the size of the map that the step gives.
    """
    kit = make_kit(symmetry)
    image = keras.Input((size, size, 2))
    if step == "strided lift":
        x = CONVOLUTIONS[step](kit, image)
    else:
        x = STEPS[step](kit, kit.lift(image, 16, 3, name="lift"))
    return keras.Model(image, kit.invariant(x, name="pool")), x.shape[1:3]


def images_of(size):
    return np.random.default_rng(0).standard_normal((2, size, size, 2)).astype("float32")


@pytest.mark.parametrize(("step", "symmetry", "size"), list(combinations()))
def test_a_step_is_exact_and_keeps_the_plain_networks_size(step, symmetry, size):
    """Of c8, the turns by 90 degrees."""
    model, map_size = build(symmetry, size, step)
    _, plain_size = build("none", size, step)
    assert map_size == plain_size
    randomize(model)
    assert_equivariant(model, images_of(size), "d4" if symmetry == "d4" else "c4")


@pytest.mark.parametrize("step", ["conv", "max pool 2", "full map", "depthwise", "rectangular"])
def test_the_plain_kit_fails_the_same_check(step):
    model, _ = build("none", 16, step)
    randomize(model)
    assert equivariance_error(model, images_of(16), Group(4), outputs="invariant") > 1e-3


def test_turned_inputs_have_no_depthwise_convolution():
    kit = make_kit("rot4_inputs")
    with pytest.raises(ConfigurationError, match='"s": rot4_inputs has no depthwise convolution'):
        kit.depthwise(keras.Input((9, 9, 8)), 3, name="s")


def test_fields_are_not_cut():
    with pytest.raises(ValueError, match='"s": 8 channels cannot be split into 2 parts of whole'):
        make_kit("d4").split(keras.Input((9, 9, 8)), 2, name="s")


def test_restriction_goes_on_with_fewer_symmetries():
    kit = make_kit("d8")
    image = keras.Input((17, 17, 2))
    x = kit.lift(image, 32, 3, name="lift")
    kit, x = kit.restrict(x, "c4", name="restrict")
    x = kit.conv(x, 32, 3, strides=2, name="conv")
    model = keras.Model(image, kit.invariant(x, name="pool"))
    randomize(model)
    images = np.random.default_rng(0).standard_normal((2, 17, 17, 2)).astype("float32")
    assert_equivariant(model, images, "c4")
    assert equivariance_error(model, images, Group(4, True), outputs="invariant") > 1e-3


@pytest.mark.parametrize("symmetry", ["c4", "rot4"])
def test_rectangles_in_groups_are_refused(symmetry):
    kit = make_kit(symmetry)
    with pytest.raises(ValueError, match=f'"s": {symmetry} has no convolution in groups'):
        kit.conv(keras.Input((9, 9, 8)), 8, (1, 3), groups=2, name="s")


def test_options_that_a_kit_does_not_have():
    with pytest.raises(TypeError, match="no option"):
        make_kit("none").replace(normalisation_epsilon=1e-3)


def test_the_plain_kit_hands_out_stock_layers_alone():
    image = keras.Input((17, 17, 2))
    kit = make_kit("none")
    x = kit.lift(image, 16, 3, strides=2, name="lift")
    for name, step in STEPS.items():
        y = step(kit, image if name == "strided lift" else x)
        model = keras.Model(image, kit.invariant(y, name=f"pool {name}"))
        for operation in model.operations:
            assert type(operation).__module__.startswith("keras."), name


def test_width_and_whole_fields():
    assert make_kit("none", width=0.5).channels(64) == 32
    assert make_kit("d4", width=0.5).channels(64) == 32
    assert make_kit("d4").channels(3) == 8, "at least one field"
    assert make_kit("c4").channels(30) == 32


def test_weight_decay_goes_into_the_loss():
    # What is asked for twice adds up.
    kit = make_kit("c4").with_weight_decay(0.3).with_weight_decay(0.2)
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, kit.lift(image, 4, 3, name="lift"))
    kernel = keras.ops.convert_to_numpy(model.get_layer("lift").kernel)
    model(np.zeros((1, 8, 8, 1), "float32"))
    np.testing.assert_allclose(float(model.losses[0]), 0.5 * (kernel**2).sum(), rtol=1e-5)


@pytest.mark.parametrize(("pixels", "new_pixels"), [(1, 7), (3, 7), (6, 7), (16, 7), (14, 7)])
def test_adaptive_pool_takes_means_as_pytorch_does(pixels, new_pixels):
    """As the documentation of torch.nn.AdaptiveAvgPool2d's windows: floor to ceiling."""
    means = np.zeros((new_pixels, pixels))
    for i in range(new_pixels):
        start, end = i * pixels // new_pixels, math.ceil((i + 1) * pixels / new_pixels)
        means[i, start:end] = 1 / (end - start)
    image = keras.Input((pixels, pixels, 3))
    model = keras.Model(image, make_kit("none").adaptive_pool(image, new_pixels, name="s"))
    x = np.random.default_rng(0).standard_normal((2, pixels, pixels, 3)).astype("float32")
    expected = np.einsum("ij,bjkc,lk->bilc", means, x, means)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(x)), expected, atol=1e-6)
