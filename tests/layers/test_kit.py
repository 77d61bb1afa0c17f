import keras
import numpy as np
import pytest
from equivariance import assert_equivariant, equivariance_error, randomize

from lensnet.layers.kit import Kit
from lensnet.symmetry import Group

SYMMETRIES = ["c4", "d4", "rot4", "rot8", "rot4_inputs"]


def build(symmetry, size, step, channels=2):
    """A lifting convolution, one step of a kit, and the invariant read-out."""
    kit = Kit.create(symmetry)
    image = keras.Input((size, size, channels))
    x = kit.lift(image, 16, 3, name="lift")
    x = step(kit, x)
    return keras.Model(image, kit.invariant(x, name="pool"))


STEPS = {
    "conv": lambda kit, x: kit.conv(x, 16, 3, name="s"),
    "strided conv": lambda kit, x: kit.conv(x, 16, 3, strides=2, name="s"),
    "strided 7x7": lambda kit, x: kit.conv(x, 16, 7, strides=2, name="s"),
    "strided pointwise": lambda kit, x: kit.conv(x, 16, 1, strides=2, name="s"),
    "strided valid": lambda kit, x: kit.conv(x, 16, 3, strides=2, padding="valid", name="s"),
    "patches of 4": lambda kit, x: kit.conv(x, 16, 4, strides=4, padding="valid", name="s"),
    "max pool 2": lambda kit, x: kit.max_pool(x, 2, strides=2, name="s"),
    "max pool 3": lambda kit, x: kit.max_pool(
        kit.activation(x, "relu", name="a"), 3, strides=2, padding="same", name="s"
    ),
    "norm": lambda kit, x: kit.norm(x, name="s"),
    "cover": lambda kit, x: kit.cover(x, 16, name="s"),
    "dropout": lambda kit, x: kit.dropout(x, 0.5, name="s"),
    "add": lambda kit, x: kit.add([x, x], name="s"),
}


@pytest.mark.parametrize("size", [16, 17, 18, 19])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_is_exact_at_every_size(step, symmetry, size):
    model = build(symmetry, size, STEPS[step])
    randomize(model)
    images = np.random.default_rng(0).standard_normal((2, size, size, 2)).astype("float32")
    assert_equivariant(model, images, "d4" if symmetry == "d4" else "c4")


@pytest.mark.parametrize("step", ["conv", "max pool 2", "cover"])
def test_the_plain_kit_fails_the_same_check(step):
    model = build("none", 16, STEPS[step])
    randomize(model)
    images = np.random.default_rng(0).standard_normal((2, 16, 16, 2)).astype("float32")
    assert equivariance_error(model, images, Group(4), outputs="invariant") > 1e-3


@pytest.mark.parametrize("size", [16, 17, 19])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("step", STEPS)
def test_maps_have_the_size_they_have_in_the_plain_network(step, symmetry, size):
    def shape(name):
        kit = Kit.create(name)
        x = kit.lift(keras.Input((size, size, 2)), 16, 3, name="lift")
        return STEPS[step](kit, x).shape

    assert shape(symmetry) == shape("none")


def test_the_plain_kit_hands_out_stock_layers_alone():
    image = keras.Input((17, 17, 2))
    kit = Kit.create("none")
    x = kit.lift(image, 16, 3, strides=2, name="lift")
    for name, step in STEPS.items():
        y = step(kit, x)
        model = keras.Model(image, kit.invariant(y, name=f"pool {name}"))
        assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


def test_width_and_whole_fields():
    assert Kit.create("none", width=0.5).channels(64) == 32
    assert Kit.create("d4", width=0.5).channels(64) == 32
    assert Kit.create("d4").channels(3) == 8, "at least one field"
    assert Kit.create("c4").channels(30) == 32


def test_a_symmetric_step_needs_a_known_square_size():
    kit = Kit.create("c4")
    for shape in ((None, None, 1), (16, 18, 1)):
        with pytest.raises(ValueError, match="square images of a size that is known"):
            kit.lift(keras.Input(shape), 8, 3, strides=2, name="lift")


def test_weight_decay_goes_into_the_loss():
    kit = Kit.create("c4").with_weight_decay(0.5)
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, kit.lift(image, 4, 3, name="lift"))
    kernel = keras.ops.convert_to_numpy(model.get_layer("lift").kernel)
    model(np.zeros((1, 8, 8, 1), "float32"))
    np.testing.assert_allclose(float(model.losses[0]), 0.5 * (kernel**2).sum(), rtol=1e-5)
