import math

import keras
import numpy as np
import pytest
from backends import on_tensorflow
from short_networks import build_short

import lensnet
from lensnet.models.kit.counting import count
from lensnet.testing import randomize


def images_of(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 1)).astype("float32")


def narrow(name="efficientnet_b0", symmetry="none", size=64, **options):
    return lensnet.models.create(
        name,
        input_shape=(size, size, 1),
        num_outputs=3,
        symmetry=symmetry,
        width=0.125,
        **options,
    )


@pytest.mark.parametrize("prefix", ["", "tf_"])
@pytest.mark.parametrize(
    ("name", "parameters"),
    # torchvision's documentation (num_params), at 1000 classes and three channels; of b8 and lite0
    # timm's results-imagenet.csv, in millions.
    [
        ("efficientnet_b0", 5_288_548),
        ("efficientnet_b1", 7_794_184),
        ("efficientnet_b2", 9_109_994),
        ("efficientnet_b3", 12_233_232),
        ("efficientnet_b4", 19_341_616),
        ("efficientnet_b5", 30_389_784),
        ("efficientnet_b6", 43_040_704),
        ("efficientnet_b7", 66_347_960),
        ("efficientnet_b8", 87.41e6),
        ("efficientnet_lite0", 4.65e6),
        ("efficientnetv2_s", 21_458_488),
        ("efficientnetv2_m", 54_139_356),
    ],
)
def test_plain_networks_have_the_published_parameters(prefix, name, parameters):
    counted = count(prefix + name, input_shape=(64, 64, 3), num_outputs=1000).parameters
    assert abs(counted - parameters) <= (5000 if isinstance(parameters, float) else 0)


@pytest.mark.parametrize(
    ("name", "size", "multiply_adds"),
    # Tan & Le 2019, table 2, and 2021, table 7, in 1e9 multiply-adds; the papers' own figures,
    # which were counted by other means, differ from ours by up to 5 %.
    [
        ("efficientnet_b0", 224, 0.39),
        ("efficientnet_b1", 240, 0.70),
        ("efficientnet_b2", 260, 1.0),
        ("efficientnet_b3", 300, 1.8),
        ("efficientnet_b4", 380, 4.2),
        ("efficientnet_b5", 456, 9.9),
        ("efficientnet_b6", 528, 19),
        ("efficientnet_b7", 600, 37),
        ("efficientnetv2_s", 384, 8.8),
        ("efficientnetv2_m", 480, 24),
    ],
)
def test_multiply_adds_are_the_published(name, size, multiply_adds):
    counted = count(name, input_shape=(size, size, 3), num_outputs=1000).multiply_adds
    assert abs(counted / (multiply_adds * 1e9) - 1) < 0.06


@on_tensorflow
def test_the_two_paddings_agree_where_the_steps_fit():
    """At 65 pixels TensorFlow pads both sides alike, at 64 it does not; the epsilons differ."""
    difference = {}
    for size in (64, 65):
        ours = build_short("efficientnet_lite0", "none", size)
        theirs = build_short("tf_efficientnet_lite0", "none", size)
        randomize(ours, gain=math.sqrt(2))
        layers = {layer.name: layer for layer in ours.layers}
        for layer in theirs.layers:
            weights = layers[layer.name].get_weights()
            if isinstance(layer, keras.layers.BatchNormalization):
                assert (layer.epsilon, layers[layer.name].epsilon) == (1e-3, 1e-5)
                weights[3] = weights[3] + np.float32(1e-5 - 1e-3)
            layer.set_weights(weights)
        expected, got = (
            keras.ops.convert_to_numpy(model(images_of(size))) for model in (ours, theirs)
        )
        difference[size] = np.abs(got - expected).max() / np.abs(expected).max()
    assert difference[65] < 1e-5
    assert difference[64] > 1e-3


def test_lite_has_neither_gates_nor_swish():
    kinds = {layer.name: layer for layer in narrow("efficientnet_lite0", "c4").layers}
    assert not [name for name in kinds if ".se" in name]
    activations = {
        layer.activation for layer in kinds.values() if isinstance(layer, keras.layers.Activation)
    }
    assert activations == {keras.activations.relu6}


def test_stages():
    maps = narrow("efficientnet_b0", "c4", 65, features_only=True).output
    sizes = {stage: tensor.shape[1] for stage, tensor in maps.items()}
    assert sizes == {
        "blocks.0": 33,
        "blocks.1": 17,
        "blocks.2": 9,
        "blocks.3": 5,
        "blocks.4": 5,
        "blocks.5": 3,
        "blocks.6": 3,
        "conv_head": 3,
    }


def test_blocks_with_a_shortcut_are_dropped():
    """B0 has 16 blocks; those that change pixels or channels have nothing to fall back on."""
    model = narrow(drop_path=0.3)
    layers = [layer for layer in model.layers if layer.name.endswith(".drop_path")]
    numbers = [2, 4, 6, 7, 9, 10, 12, 13, 14]
    np.testing.assert_allclose([layer.rate for layer in layers], [0.02 * n for n in numbers])
