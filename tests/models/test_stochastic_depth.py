import numpy as np
import pytest
from backends import on_tensorflow
from short_networks import build_short

from lensnet.errors import ConfigurationError
from lensnet.models.stochastic_depth import rates_by_stage


def test_the_rate_rises_linearly_from_nothing_in_the_first_block():
    stages = rates_by_stage(0.6, (2, 3, 2))
    assert [len(rates) for rates in stages] == [2, 3, 2]
    np.testing.assert_allclose(np.concatenate(stages), np.arange(7) / 10)


def test_a_single_block_is_never_dropped():
    assert rates_by_stage(0.5, (1,)) == [[0.0]]


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(ConfigurationError, match="drop_path is a probability below 1"):
        rates_by_stage(rate, (2, 2))


@on_tensorflow
@pytest.mark.parametrize(
    ("name", "symmetry", "last"),
    [
        ("resnet18", "c4", "layer4.0"),
        ("resnetv2_50", "none", "stages.3.blocks.0"),
        ("convnext_atto", "c4", "stages.3.blocks.0"),
        ("cspresnet50", "none", "stages.3.blocks.0"),
    ],
)
def test_residual_families_drop_every_block_but_the_first(name, symmetry, last):
    def dropping(**options):
        model = build_short(name, symmetry, options=options)
        layers = [layer for layer in model.layers if layer.name.endswith(".drop_path")]
        return {layer.name.removesuffix(".drop_path"): layer.rate for layer in layers}

    rates = dropping(drop_path=0.3)
    assert rates[last] == max(rates.values()) == 0.3
    steps = np.diff([0.0, *rates.values()])
    np.testing.assert_allclose(steps, 0.3 / len(rates))
    assert dropping() == {}
