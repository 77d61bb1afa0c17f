import keras
import numpy as np
import pytest

from lensnet.models import resnetv2
from lensnet.models.kit import make_kit
from lensnet.models.kit.counting import count
from lensnet.testing import randomize

TIMM = {"resnetv2_50": 25.55, "resnetv2_101": 44.54, "resnetv2_152": 60.19}
"""Millions of parameters in timm's table of benchmarks, results/benchmark-infer-*.csv."""


@pytest.mark.parametrize("name", [spec.name for spec in resnetv2.SPECS])
def test_published_parameters(name):
    counted = count(name, input_shape=(224, 224, 3), num_outputs=1000).parameters
    assert round(counted / 1e6, 2) == TIMM[name]


def one_block_a_stage(symmetry, size=64, width=0.125):
    kit = make_kit(symmetry, width=width)
    image = keras.Input((size, size, 1))
    x = resnetv2.build(kit, image, depths=(1, 1, 1, 1))
    model = keras.Model(image, kit.invariant(x, name="global_pool"))
    images = np.random.default_rng(0).standard_normal((2, size, size, 1)).astype("float32")
    randomize(model)
    return model, images


@pytest.mark.parametrize(("symmetry", "size"), [("none", 32), ("none", 33), ("c4", 32)])
def test_the_stem_pools_negative_values(symmetry, size):
    """What is padded must not be the maximum: with zeros, every pixel at the edge would be 0."""
    model, _ = one_block_a_stage(symmetry, size)
    convolution = model.get_layer("stem.conv")
    convolution.set_weights([-np.abs(weights) for weights in convolution.get_weights()])
    pooled = keras.Model(model.input, model.get_layer("stem.pool").output)
    assert pooled.predict_on_batch(np.ones((1, size, size, 1), "float32")).max() < 0


def test_a_block_adds_to_its_input_unchanged():
    """Nothing stands between the shortcut and the sum: where the branch is 0, the block does
    nothing (He et al. 2016, equation 3)."""
    kit = make_kit("none", width=0.125)
    image = keras.Input((32, 32, 1))
    model = keras.Model(image, resnetv2.build(kit, image, depths=(2, 1, 1, 1)))
    randomize(model)
    model.get_layer("stages.0.blocks.1.conv3").set_weights([np.zeros((1, 1, 8, 32))])
    names = ("stages.0.blocks.0.add", "stages.0.blocks.1.add")
    both = keras.Model(image, [model.get_layer(name).output for name in names])
    images = np.random.default_rng(0).standard_normal((1, 32, 32, 1))
    before, after = both.predict_on_batch(images)
    np.testing.assert_array_equal(after, before)
    assert before.min() < 0 < before.max()
