"""The counts against the networks themselves, and against published figures."""

import keras
import numpy as np
import pytest

import lensnet
from lensnet import registry
from lensnet.models.kit.counting import count
from lensnet.models.widths import width_factor

FAMILIES = {
    spec.family: name
    for name in registry.backbones.names()
    for spec in [registry.backbones.get(name)]
    if spec.family != "tiny"
}
"""One name a family."""


@pytest.mark.parametrize("symmetry", ["none", "c4", "d4", "c8", "rot4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_the_networks(family, symmetry):
    name = FAMILIES[family]
    model = lensnet.models.create(
        name, input_shape=(64, 64, 3), num_outputs=5, symmetry=symmetry, width=0.25
    )
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    width = 0.25 * width_factor(name, symmetry)
    counted = count(name, input_shape=(64, 64, 3), num_outputs=5, symmetry=symmetry, width=width)
    assert counted.parameters == trainable


@pytest.mark.parametrize(
    ("name", "multiply_adds"),
    # He et al. 2016, table 1, in 1e9: multiply-adds at 224 x 224.
    [("resnet18", 1.8e9), ("resnet34", 3.6e9)],
)
def test_multiply_adds_are_the_published(name, multiply_adds):
    counted = count(name, input_shape=(224, 224, 3), num_outputs=1000).multiply_adds
    assert abs(counted / multiply_adds - 1) < 0.03


def test_multiply_adds_are_those_of_the_layers():
    """Counted anew from the built layers' kernels and outputs."""
    model = lensnet.models.create("resnet18", input_shape=(64, 64, 3), num_outputs=5)
    total = 0
    for layer in model.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            pixels = int(np.prod(layer.output.shape[1:-1]))
            total += pixels * int(np.prod(layer.kernel.shape))
    assert count("resnet18", input_shape=(64, 64, 3), num_outputs=5).multiply_adds == total


class TestWidths:
    def test_equal_cost_is_the_default(self):
        for symmetry in ("c4", "d4", "c2"):
            assert width_factor("resnet18", symmetry) == 1
        shape = {"input_shape": (128, 128, 3), "num_outputs": 1}
        plain = count("resnet50", **shape).multiply_adds
        for symmetry in ("c8", "d8", "rot4", "rot8"):
            width = width_factor("resnet50", symmetry)
            counted = count("resnet50", symmetry=symmetry, width=width, **shape)
            assert 0.9 < counted.multiply_adds / plain < 1.05, symmetry

    def test_equal_parameters(self):
        shape = {"input_shape": (128, 128, 3), "num_outputs": 1}
        plain = count("resnet50", **shape).parameters
        for symmetry in ("c4", "d4", "c8"):
            width = width_factor("resnet50", symmetry, "parameters")
            counted = count("resnet50", symmetry=symmetry, width=width, **shape)
            assert 0.95 < counted.parameters / plain < 1.05, symmetry

    def test_fields(self):
        assert width_factor("resnet18", "d4", "fields") == 8
        assert width_factor("resnet18", "rot4", "fields") == 1

    def test_a_policy_that_does_not_exist(self):
        with pytest.raises(lensnet.errors.ConfigurationError, match='mean "fields"'):
            width_factor("resnet18", "c4", "field")

    def test_in_a_model(self):
        def channels(policy):
            return (
                lensnet.models.create(
                    "resnet18",
                    input_shape=(64, 64, 1),
                    num_outputs=1,
                    symmetry="c4",
                    width=0.125,
                    width_policy=policy,
                )
                .get_layer("conv1")
                .output.shape[-1]
            )

        assert [channels(policy) for policy in ("flops", "parameters", "fields")] == [8, 16, 32]
