"""The counts against the networks themselves, and against published figures."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import short_networks

import lensnet
from lensnet import registry
from lensnet.layers import SymmetricDownsample2D, fold
from lensnet.models.building import build_network
from lensnet.models.kit import make_kit
from lensnet.models.kit.counting import count
from lensnet.models.widths import width_factor
from lensnet.testing import randomize

COMBINATIONS = [
    # One of each kind of filters, an even and an odd size: strided first and depthwise filters,
    # squeeze-and-excitation, pointwise convolutions, also with a stride.
    ("mobilenetv3_small_100", "none", 33),
    ("mobilenetv3_small_100", "c4", 32),
    ("mobilenetv3_small_100", "rot8", 33),
    # Every family; symmetries and sizes take turns.
    ("resnet18", "rot4_inputs", 32),
    ("ecaresnet50d", "c8", 33),
    ("resnetv2_50", "rot4", 33),
    ("cspresnet50", "rot4", 32),
    ("densenet121", "c4", 32),
    ("vgg16", "d4", 32),
    ("lens_cnn", "rot4_inputs", 33),
    ("inception_v3", "none", 33),
    ("inception_v4", "d4", 32),
    ("inception_resnet_v2", "c4", 33),
    ("efficientnet_lite0", "c8", 32),
    ("convnext_atto", "c4", 33),
    ("vit_tiny_patch16_224", "none", 33),
    ("vit_tiny_patch16_224", "d4", 48),
    ("vit_small_patch14_reg4_dinov2", "rot8", 33),
    ("vit_lens", "c8", 32),
    ("vit_lens", "rot4_inputs", 33),
]


def test_the_combinations_have_every_family():
    families = {registry.backbones.get(name).family for name in registry.backbones.names()}
    tested = {registry.backbones.get(name).family for name, _, _ in COMBINATIONS}
    assert tested == families - {"tiny"}


def trained_parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def multiply_adds(model):
    """Counted anew from the layers of a folded network, as the docstring of `Counts` says.

    Not from pooling that is made of a depthwise convolution, nor from pointwise depthwise filters,
    which are scales.
    """
    pools = {
        layer.name.replace(".", "_")  # as in a folded network
        for layer in model.layers
        if isinstance(layer, SymmetricDownsample2D)
    }
    total = 0
    for layer in fold(model).operations:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            if layer.name in pools or layer.kernel_size == (1, 1):
                continue
            products = np.prod(without_zeros_behind(layer.get_weights()[0]).shape)
        elif isinstance(layer, (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Dense)):
            products = np.prod(layer.kernel.shape)
        elif type(layer).__name__ == "Matmul":  # of attention
            products = layer.input[1].shape[-2] * layer.input[1].shape[-1]
        else:
            continue
        total += int(products) * positions(layer.output)
    return total


def positions(tensor):
    """Of one example: the pixels of a map, or the rows that it was made into."""
    while len(tensor.shape) == 2:
        operation = tensor._keras_history.operation
        is_layer = isinstance(operation, keras.Layer)
        if is_layer and not isinstance(operation, (keras.layers.Dense, keras.layers.Activation)):
            return 1
        tensor = operation.input
    return int(np.prod(tensor.shape[1:-1]))


def without_zeros_behind(kernel):
    """A depthwise kernel without the zeros that stand for padding (`fold`)."""
    while not kernel[-1].any() and not kernel[:, -1].any():
        kernel = kernel[:-1, :-1]
    return kernel


@pytest.mark.parametrize(("name", "symmetry", "size"), COMBINATIONS)
def test_counts_are_those_of_the_network(name, symmetry, size):
    spec = short_networks.short_spec(name)
    shape = {"input_shape": (size, size, 3), "num_outputs": 5}
    model = build_network(spec, make_kit(symmetry, width=0.125), **shape)
    randomize(model)
    counted = count(spec, symmetry=symmetry, width=0.125, **shape)
    assert counted.parameters == trained_parameters(model)
    assert counted.multiply_adds == multiply_adds(model)


def test_convolutions_in_groups_count_without_the_zeros_between():
    """Of fields too; folding may fill them up."""
    shape = {"input_shape": (32, 32, 3), "num_outputs": 5}
    model = lensnet.models.create("resnext50_32x4d", width=0.25, **shape)
    total = 0
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            # A kernel has channels / groups inputs.
            total += int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
    assert count("resnext50_32x4d", width=0.25, **shape).multiply_adds == total
    symmetric = lensnet.models.create("resnext50_32x4d", width=0.25, symmetry="d4", **shape)
    counted = count("resnext50_32x4d", width=0.25, symmetry="d4", **shape)
    assert counted.parameters == trained_parameters(symmetric)


@pytest.mark.parametrize(
    ("name", "giga_multiply_adds"),
    # He et al. 2016, table 1: multiply-adds at 224 x 224.
    [("resnet18", 1.8), ("resnet34", 3.6)],
)
def test_multiply_adds_are_the_published(name, giga_multiply_adds):
    counted = count(name, input_shape=(224, 224, 3), num_outputs=1000).multiply_adds
    assert abs(counted / (giga_multiply_adds * 1e9) - 1) < 0.03


def test_counting_needs_no_keras():
    code = (
        "import sys\n"
        "from lensnet.models.widths import width_factor\n"
        "width_factor('resnet18', 'c8')\n"
        "print('keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class TestWidths:
    @pytest.mark.parametrize("symmetry", ["c8", "d8", "rot4", "rot8"])
    def test_equal_cost_is_the_default(self, symmetry):
        shape = {"input_shape": (128, 128, 3), "num_outputs": 1}
        plain = count("resnet50", **shape).multiply_adds
        width = width_factor("resnet50", symmetry)
        counted = count("resnet50", symmetry=symmetry, width=width, **shape)
        assert width < 1
        assert 0.9 < counted.multiply_adds / plain < 1.05

    def test_groups_that_turn_the_grid_onto_itself_cost_the_same_at_the_same_width(self):
        assert [width_factor("resnet18", symmetry) for symmetry in ("c2", "c4", "d4")] == [1, 1, 1]

    @pytest.mark.parametrize("symmetry", ["c4", "d4", "c8"])
    def test_equal_parameters(self, symmetry):
        shape = {"input_shape": (128, 128, 3), "num_outputs": 1}
        plain = count("resnet50", **shape).parameters
        width = width_factor("resnet50", symmetry, "parameters")
        counted = count("resnet50", symmetry=symmetry, width=width, **shape)
        assert 0.95 < counted.parameters / plain < 1.05

    def test_equal_fields(self):
        assert width_factor("resnet18", "d4", "fields") == 8
        assert width_factor("resnet18", "rot4", "fields") == 1

    def test_a_policy_that_does_not_exist(self):
        with pytest.raises(lensnet.errors.ConfigurationError, match='mean "fields"'):
            width_factor("resnet18", "c4", "field")

    @pytest.mark.parametrize(
        ("policy", "channels"), [("flops", 8), ("parameters", 16), ("fields", 32)]
    )
    def test_in_a_model(self, policy, channels):
        model = lensnet.models.create(
            "resnet18",
            input_shape=(64, 64, 1),
            num_outputs=1,
            symmetry="c4",
            width=0.125,
            width_policy=policy,
        )
        assert model.get_layer("conv1").output.shape[-1] == channels
