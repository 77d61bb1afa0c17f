import keras
import numpy as np
import pytest
from backends import on_tensorflow
from short_networks import build_short

from lensnet.models.kit.counting import count

pytestmark = on_tensorflow


def images_of(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 1)).astype("float32")


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


@pytest.mark.parametrize("symmetry", ["none", "d4"])
def test_a_block_hands_on_all_that_it_got(symmetry):
    """The transition's channels are the first of the block's, each layer's follow in order."""
    model = build_short("densenet121", symmetry, 64)
    names = ["features.transition1.pool", *(f"features.denseblock2.denselayer{n}" for n in (1, 2))]
    maps = keras.Model(model.input, [model.get_layer(name).output for name in names])
    outputs = [keras.ops.convert_to_numpy(output) for output in maps(images_of(64))]
    for before, after in zip(outputs, outputs[1:], strict=False):
        assert after.shape[-1] > before.shape[-1]
        np.testing.assert_array_equal(after[..., : before.shape[-1]], before)


def test_stages_end_where_the_map_is_halved_or_pooled():
    maps = build_short("densenet121", "c4", 65, features_only=True).output
    sizes = {stage: tensor.shape[1] for stage, tensor in maps.items()}
    assert sizes == {"denseblock1": 17, "denseblock2": 8, "denseblock3": 4, "denseblock4": 2}


def test_dropout_of_each_layers_new_channels():
    model = build_short("densenet121", "c4", 64, options={"dropout": 0.2})
    rates = [layer.rate for layer in model.layers if type(layer).__name__ == "FieldDropout"]
    assert rates == [0.2] * 5, "one a layer, of which there are 1, 2, 1 and 1"


def test_the_deep_stem_is_three_small_convolutions():
    """Of half the channels, half and all, the first with a stride (He et al. 2019, figure 2b)."""
    model = build_short("densenet264d", "none", 64, width=1.0)
    convolutions = [model.get_layer(f"features.conv{number}") for number in range(3)]
    assert [layer.kernel_size for layer in convolutions] == [(3, 3)] * 3
    assert [layer.output.shape[1:] for layer in convolutions] == [
        (32, 32, 48),
        (32, 32, 48),
        (32, 32, 96),
    ]
