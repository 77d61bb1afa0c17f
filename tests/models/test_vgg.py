import math

import keras
import numpy as np
import pytest

import lensnet
from lensnet.models.kit.counting import count
from lensnet.testing import randomize


def images_of(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 1)).astype("float32")


def narrow(symmetry="none", size=64, **options):
    return lensnet.models.create(
        "vgg16",
        input_shape=(size, size, 1),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    # torchvision's documentation (num_params), at 1000 classes and three channels.
    [("vgg16", 138_357_544), ("vgg19", 143_667_240)],
)
@pytest.mark.parametrize("size", [64, 300])
def test_plain_networks_have_the_published_parameters_at_every_size(name, parameters, size):
    assert count(name, input_shape=(size, size, 3), num_outputs=1000).parameters == parameters


def test_the_first_dense_layer_sees_where_things_are():
    """It is no mean over the map: other places, other outputs."""
    model = narrow("c4", 224)
    randomize(model, gain=math.sqrt(2))
    dense = keras.Model(model.get_layer("features.30").output, model.output)
    maps = np.zeros((2, 7, 7, 64), "float32")
    maps[0, 3, 3], maps[1, 2, 1] = 1, 1
    first, second = keras.ops.convert_to_numpy(dense(maps))
    assert np.abs(first - second).max() > 1e-2 * np.abs(first).max()


@pytest.mark.parametrize(("size", "pixels"), [(32, 1), (224, 1), (256, 2)])
@pytest.mark.parametrize("symmetry", ["none", "c4"])
def test_small_maps_are_enlarged_and_large_ones_convolved(symmetry, size, pixels):
    model = narrow(symmetry, size)
    assert model.get_layer("pre_logits.fc1").output.shape[1:3] == (pixels, pixels)
    names = {layer.name for layer in model.layers}
    assert ("pre_logits.pool" in names) == (size < 224)


def test_images_need_not_be_square():
    model = lensnet.models.create("vgg16", input_shape=(64, 288, 1), num_outputs=3, width=0.125)
    assert model.get_layer("pre_logits.fc1").input.shape[1:3] == (7, 9)


def test_stages():
    maps = narrow("c4", features_only=True).output
    sizes = {stage: tensor.shape[1] for stage, tensor in maps.items()}
    assert sizes == {f"block{number}": 64 >> number for number in range(1, 6)}


def test_dropout_lies_between_the_dense_layers():
    assert narrow().get_layer("pre_logits.drop").rate == 0.5
    assert narrow(dropout=0.1).get_layer("pre_logits.drop").rate == 0.1
