import keras
import numpy as np
import pytest

import lensnet
from lensnet.models import convnext
from lensnet.models.kit import make_kit
from lensnet.models.kit.counting import count
from lensnet.testing import assert_equivariant, randomize

TORCHVISION = {
    "convnext_tiny": 28_589_128,
    "convnext_small": 50_223_688,
    "convnext_base": 88_591_464,
}
"""Parameters that torchvision publishes with its weights for ImageNet."""

TIMM = {
    "convnext_atto": 3.70,
    "convnext_femto": 5.22,
    "convnext_pico": 9.05,
    "convnext_nano": 15.59,
}
"""Millions of parameters in timm's table of benchmarks, results/benchmark-infer-*.csv."""


@pytest.mark.parametrize("name", [spec.name for spec in convnext.SPECS])
def test_published_parameters(name):
    counted = count(name, input_shape=(224, 224, 3), num_outputs=1000).parameters
    if name in TORCHVISION:
        assert counted == TORCHVISION[name]
    else:
        assert round(counted / 1e6, 2) == TIMM[name]


def one_block_a_stage(symmetry, size=64):
    kit = make_kit(symmetry, width=0.25)
    image = keras.Input((size, size, 1))
    x = convnext.build(kit, image, depths=(1, 1, 1, 1), channels=(40, 80, 160, 320))
    return kit, keras.Model(image, x)


@pytest.mark.parametrize(("symmetry", "size"), [("c4", 67), ("rot4", 66)])
def test_exact_invariance_where_patches_do_not_tile_the_map(symmetry, size):
    """Patches of 4 pixels, with 3 or 2 pixels left."""
    kit, model = one_block_a_stage(symmetry, size)
    model = keras.Model(model.input, kit.invariant(model.output, name="global_pool"))
    images = np.random.default_rng(0).standard_normal((2, size, size, 1)).astype("float32")
    randomize(model)
    assert_equivariant(model, images, "c4")


@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_features_are_normalised_after_pooling(symmetry):
    """Each field, over its elements; not the map before the pooling, as other families have it."""
    _, model = one_block_a_stage(symmetry)
    images = np.random.default_rng(0).standard_normal((3, 64, 64, 1)).astype("float32")
    features = keras.ops.convert_to_numpy(model(images))
    assert features.shape[1:3] == (1, 1)
    np.testing.assert_allclose(features.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=-1), 1, atol=1e-2)


@pytest.mark.parametrize("symmetry", ["none", "c4", "rot4"])
def test_weights_start_as_in_the_paper(symmetry):
    """Normal of standard deviation 0.02 (appendix A.1), whatever the size of a filter."""
    _, model = one_block_a_stage(symmetry)
    names = ("stages.2.downsample.1", "stages.3.blocks.0.conv_dw", "stages.3.blocks.0.mlp.fc1")
    for name in names:
        kernel, bias = model.get_layer(name).get_weights()
        assert 0.018 < kernel.std() < 0.022, name
        assert not bias.any()


@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_branches_start_small(symmetry):
    def scale(**options):
        model = lensnet.models.create(
            "convnext_atto", input_shape=(32, 32, 1), num_outputs=2, symmetry=symmetry, **options
        )
        (values,) = model.get_layer("stages.0.blocks.0.gamma").get_weights()
        return values

    np.testing.assert_allclose(scale(), 1e-6)
    np.testing.assert_allclose(scale(layer_scale=0.1), 0.1, rtol=1e-6)
