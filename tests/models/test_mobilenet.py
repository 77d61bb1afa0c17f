import numpy as np
import pytest

import lensnet
from lensnet.models.kit.counting import count


def images_of(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 1)).astype("float32")


def narrow(name="mobilenetv3_small_100", symmetry="none", size=64, **options):
    return lensnet.models.create(
        name,
        input_shape=(size, size, 1),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    # torchvision's documentation (num_params), at 1000 classes and three channels; multiply-adds
    # in 1e6 at 224 x 224 pixels: Sandler et al. 2018, table 4, and Howard et al. 2019, table 3.
    [
        ("mobilenetv2_100", 3_504_872, 300),
        ("mobilenetv3_small_100", 2_542_856, 56),
        ("mobilenetv3_large_100", 5_483_032, 219),
    ],
)
def test_plain_networks_have_the_published_size(name, parameters, multiply_adds):
    counted = count(name, input_shape=(224, 224, 3), num_outputs=1000)
    assert counted.parameters == parameters
    assert abs(counted.multiply_adds / (multiply_adds * 1e6) - 1) < 0.02


@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_v3_takes_the_mean_before_its_last_convolution(symmetry):
    """In a network of fields the convolution still sees every element of the group."""
    model = narrow("mobilenetv3_small_100", symmetry)
    head = model.get_layer("conv_head")
    order = 8 if symmetry == "d4" else 1
    assert head.input.shape == (None, 1, 1, 72)
    assert head.output.shape == (None, 1, 1, 128)
    assert head.bias.shape == (128 // order,)
    assert model.get_layer("global_pool").output.shape == (None, 128)
    assert not [layer for layer in model.layers if layer.name == "bn2"]


def test_v2_takes_the_mean_after_it():
    model = narrow("mobilenetv2_100", "c4", 65)
    head = model.get_layer("conv_head")
    assert head.output.shape == (None, 3, 3, 160)
    assert head.bias is None


def test_the_last_stage_is_the_map_before_the_mean():
    small = narrow("mobilenetv3_small_100", "c4", 65, features_only=True).output
    assert {name: tensor.shape[1] for name, tensor in small.items()} == {
        "blocks.0": 17,
        "blocks.1": 9,
        "blocks.2": 5,
        "blocks.3": 5,
        "blocks.4": 3,
        "blocks.5": 3,
    }
    assert list(narrow("mobilenetv2_100", features_only=True).output)[-1] == "conv_head"


def test_blocks_with_a_shortcut_are_dropped():
    """V3 small has 12 blocks; those that change pixels or channels cannot be left out."""
    model = narrow(drop_path=0.22)
    layers = [layer for layer in model.layers if layer.name.endswith(".drop_path")]
    np.testing.assert_allclose([layer.rate for layer in layers], [0.04, 0.08, 0.1, 0.14, 0.18, 0.2])
