import keras
import numpy as np
import pytest
from backends import only_on_tensorflow

from lensnet.layers import fold
from lensnet.models import cspnet
from lensnet.models.kit import make_kit
from lensnet.models.kit.counting import count
from lensnet.testing import randomize


def test_published_parameters():
    """21.62 million in timm's table of benchmarks, results/benchmark-infer-*.csv."""
    counted = count("cspresnet50", input_shape=(224, 224, 3), num_outputs=1000).parameters
    assert round(counted / 1e6, 2) == 21.62


def one_block_a_stage(symmetry, size=64):
    kit = make_kit(symmetry, width=0.125)
    image = keras.Input((size, size, 1))
    x = cspnet.build(kit, image, depths=(1, 1, 1, 1), channels=(128, 256, 512, 1024))
    model = keras.Model(image, kit.invariant(x, name="global_pool"))
    images = np.random.default_rng(0).standard_normal((2, size, size, 1)).astype("float32")
    randomize(model)
    return model, images


@pytest.mark.parametrize("symmetry", ["none", "c4", "d4", "c8", "d8"])
def test_halves_are_whole_fields_at_every_width(symmetry):
    """Else a block's branch and its input would differ: counting raises where sums do not fit."""
    for percent in range(3, 130, 7):
        shape = {"input_shape": (64, 64, 1), "num_outputs": 2}
        count("cspresnet50", symmetry=symmetry, width=percent / 100, **shape)


@only_on_tensorflow("only TensorFlow joins these operations in a graph")
def test_folded_and_run_as_a_graph_it_answers_as_before():
    """TensorFlow joins a convolution, its bias, a sum and LeakyReLU to one operation with a slope
    of 0.2 instead of 0.01."""
    model, images = one_block_a_stage("none", 32)
    before, after = model.predict_on_batch(images), fold(model).predict_on_batch(images)
    assert np.abs(after - before).max() <= 1e-5 * np.abs(before).max()


def test_one_half_passes_the_blocks_by():
    """It reaches the stage's last convolution as the expansion left it."""
    model, images = one_block_a_stage("none")
    expanded = model.get_layer("stages.1.conv_exp.bn").output
    joined = model.get_layer("stages.1.conv_transition.conv").input
    expanded, joined = keras.Model(model.input, [expanded, joined]).predict_on_batch(images)
    half = expanded.shape[-1] // 2
    np.testing.assert_array_equal(joined[..., :half], expanded[..., :half])
    assert np.abs(joined[..., half:] - expanded[..., half:]).max() > 0.1
