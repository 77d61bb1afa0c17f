"""Inception-v3, Inception-v4 and Inception-ResNet-v2."""

import keras
import numpy as np
import pytest
from backends import on_tensorflow
from short_networks import build_short

import lensnet
from lensnet.models.kit.counting import count

pytestmark = on_tensorflow


def images_of(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 1)).astype("float32")


def narrow(name, symmetry="none", size=64, **options):
    return lensnet.models.create(
        name,
        input_shape=(size, size, 1),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )


def test_inception_v3_has_the_published_parameters():
    """torchvision's documentation (num_params), less the auxiliary classifier's."""
    pointwise, covering, dense = 768 * 128, 128 * 768 * 5 * 5, (768 + 1) * 1000
    auxiliary = pointwise + 2 * 128 + covering + 2 * 768 + dense
    counted = count("inception_v3", input_shape=(64, 64, 3), num_outputs=1000)
    assert counted.parameters == 27_161_264 - auxiliary


@pytest.mark.parametrize(
    ("name", "millions"),
    # timm's table of results, param_count, at 1000 classes and three channels.
    [("inception_v3", 23.83), ("inception_v4", 42.68), ("inception_resnet_v2", 55.84)],
)
def test_plain_networks_have_the_published_parameters(name, millions):
    counted = count(name, input_shape=(64, 64, 3), num_outputs=1000)
    assert round(counted.parameters / 1e6, 2) == millions


def test_a_row_is_a_column_at_every_second_element():
    """What one pixel sets off: 7 pixels of a row at turns by 0 and 180 degrees, else of a column;
    after the second convolution of the pair, 7x7 pixels at each."""
    model = narrow("inception_v3", "c4", 299)
    first = model.get_layer("Mixed_6b.branch7x7_2.conv")
    second = model.get_layer("Mixed_6b.branch7x7_3.conv")
    image = np.zeros((1, 17, 17, first.input.shape[-1]), "float32")
    image[0, 8, 8] = 1
    lines = keras.ops.convert_to_numpy(first(image))
    for element in range(4):
        seen = np.argwhere((lines[0, :, :, element::4] != 0).any(axis=-1))
        spread = np.ptp(seen, axis=0) + 1
        assert tuple(spread) == ((1, 7) if element % 2 == 0 else (7, 1))
    squares = keras.ops.convert_to_numpy(second(lines))
    seen = np.argwhere((squares[0] != 0).any(axis=-1))
    assert tuple(np.ptp(seen, axis=0) + 1) == (13, 13), "rows of rows see 13 pixels"


def test_means_at_the_edge():
    """A map of ones stays one where padding is left out, as v4 has it and v3 has not."""
    for name, layer, corner in (
        ("inception_v3", "Mixed_5b.pool", 4 / 9),
        ("inception_v4", "features.6.branch3.0", 1),
    ):
        model = build_short(name, "c4", 75)
        pool = model.get_layer(layer)
        before = model.get_layer("Pool2" if name == "inception_v3" else "features.5")
        means = keras.Model(before.output, pool.output)
        ones = np.ones((1, *before.output.shape[1:]), "float32")
        outputs = keras.ops.convert_to_numpy(means(ones))
        np.testing.assert_allclose(outputs[0, 0, 0], corner, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "sizes"),
    # As from the convolutions' arithmetic at 75 pixels, which the published networks take as well.
    [
        ("inception_v3", [35, 15, 7, 3, 1]),
        ("inception_v4", [35, 17, 7, 3, 1]),
        ("inception_resnet_v2", [35, 15, 7, 3, 1]),
    ],
)
def test_stages_halve_the_map(name, sizes):
    maps = build_short(name, "c4", 75, features_only=True).output
    assert [tensor.shape[1] for tensor in maps.values()] == sizes


def test_stochastic_depth_rises_to_the_last_module():
    model = build_short("inception_resnet_v2", "c4", options={"drop_path": 0.3})
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "DropPath"]
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.3], rtol=1e-6)
    assert model.get_layer("block8.drop_path").rate == pytest.approx(0.3)


def test_the_published_depths():
    """Modules of each kind (Szegedy et al. 2017, figures 9 and 15)."""
    names = {layer.name for layer in narrow("inception_v4").layers}
    assert {f"stage.features.{number}" for number in (9, 17, 21)} <= names
