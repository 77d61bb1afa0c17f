import math

import keras
import numpy as np
import pytest

import lensnet
from lensnet.models.kit.counting import count
from lensnet.symmetry import Group
from lensnet.testing import assert_equivariant, equivariance_error, randomize

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compiles every shape anew, for minutes"
)


def images_of(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 1)).astype("float32")


def narrow(symmetry="none", size=64, **options):
    return lensnet.models.create(
        "densenet121",
        input_shape=(size, size, 1),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    # torchvision's documentation (num_params), at 1000 classes and three channels.
    [
        ("densenet121", 7_978_856),
        ("densenet161", 28_681_000),
        ("densenet169", 14_149_480),
        ("densenet201", 20_013_928),
    ],
)
def test_plain_networks_have_the_published_parameters(name, parameters):
    assert count(name, input_shape=(64, 64, 3), num_outputs=1000).parameters == parameters


@pytest.mark.parametrize(("symmetry", "size"), [("c4", 65), ("d4", 64), ("rot4", 65)])
def test_exact_invariance(symmetry, size):
    model = narrow(symmetry, size)
    randomize(model, gain=math.sqrt(2))
    assert_equivariant(model, images_of(size), "d4" if symmetry == "d4" else "c4")


def test_without_symmetry_the_same_check_fails():
    model = narrow()
    randomize(model, gain=math.sqrt(2))
    assert equivariance_error(model, images_of(64), Group(4), outputs="invariant") > 1e-2


@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_a_block_hands_on_all_that_it_got(symmetry):
    """The stem's channels are the first of the block's, each layer's follow in order."""
    model = narrow(symmetry)
    names = ["features.pool0", *(f"features.denseblock1.denselayer{n}" for n in range(1, 7))]
    maps = keras.Model(model.input, [model.get_layer(name).output for name in names])
    outputs = [keras.ops.convert_to_numpy(output) for output in maps(images_of(64))]
    for before, after in zip(outputs, outputs[1:], strict=False):
        assert after.shape[-1] > before.shape[-1]
        np.testing.assert_array_equal(after[..., : before.shape[-1]], before)


def test_stages_end_where_the_map_is_halved_or_pooled():
    maps = narrow("c4", 65, features_only=True).output
    sizes = {stage: tensor.shape[1] for stage, tensor in maps.items()}
    assert sizes == {"denseblock1": 17, "denseblock2": 8, "denseblock3": 4, "denseblock4": 2}


def test_dropout_of_each_layers_new_channels():
    model = narrow("c4", dropout=0.2)
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "FieldDropout"]
    assert rates == [0.2] * (6 + 12 + 24 + 16)
