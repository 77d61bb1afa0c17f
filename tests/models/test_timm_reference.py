"""The plain networks against timm's own answers (see timm_reference/README.md)."""

import keras
import numpy as np
import pytest
import timm_reference
from backends import on_tensorflow

import lensnet
from lensnet.errors import ConfigurationError

QUICK = ["resnet18", "mobilenetv3_small_100", "convnext_atto", "vit_tiny_patch16_224"]
"""Small ones, which every run checks; the others are marked slow."""

pytestmark = on_tensorflow


def create(architecture, **options):
    size = timm_reference.ARCHITECTURES[architecture]["input_size"]
    return lensnet.models.create(
        architecture, input_shape=(size, size, 3), num_outputs=5, **options
    )


def relative_difference(ours, theirs):
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow)
        for name in timm_reference.ARCHITECTURES
    ],
)
def test_answers_and_parameters_are_timms(architecture):
    """In float32, relative to the largest: deep residual networks grow large."""
    model = create(architecture)
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert trainable == timm_reference.trainable_parameters(architecture)
    lensnet.models.load_timm_weights(model, timm_reference.state(architecture))
    both = keras.Model(model.input, [model.get_layer("global_pool").output, model.output])
    features, logits = both.predict_on_batch(timm_reference.input_images(architecture))
    expected_features, expected_logits = timm_reference.outputs(architecture)
    assert relative_difference(features, expected_features) < 1e-4
    assert relative_difference(logits, expected_logits) < 1e-4


def test_a_parameter_that_is_missing_left_over_or_of_another_shape_is_named():
    model = create("resnet18")
    state = timm_reference.state("resnet18")
    without = {name: array for name, array in state.items() if name != "layer2.0.conv1.weight"}
    with pytest.raises(ConfigurationError, match=r'no parameter "layer2\.0\.conv1\.weight"'):
        lensnet.models.load_timm_weights(model, without)
    with pytest.raises(ConfigurationError, match=r'has no parameter "layer9\.weight"'):
        lensnet.models.load_timm_weights(model, {**state, "layer9.weight": np.zeros(3)})
    wrong = {**state, "bn1.bias": np.zeros(3)}
    with pytest.raises(ConfigurationError, match=r'"bn1\.bias" has shape \(3,\)'):
        lensnet.models.load_timm_weights(model, wrong)
