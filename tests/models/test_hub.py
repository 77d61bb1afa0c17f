"""KerasHub's presets, through a stand-in for KerasHub with its interface."""

import sys
import types

import keras
import numpy as np
import pytest

import lensnet
from lensnet import registry
from lensnet.errors import ConfigurationError


def convolutions(colours=3):
    image = keras.Input((None, None, colours))
    return keras.Model(image, keras.layers.Conv2D(8, 3, strides=2)(image), name="backbone")


def tokens():
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 4, strides=4)(image)
    return keras.Model(image, keras.layers.Reshape((16, 8))(x), name="backbone")


@pytest.fixture
def presets(monkeypatch):
    """What `keras_hub.models.Backbone.from_preset` gives, by the preset's name."""
    known = {}

    class Backbone:
        @staticmethod
        def from_preset(preset):
            if preset not in known:
                raise ConnectionError("no such host")
            return known[preset]

    models = types.SimpleNamespace(Backbone=Backbone)
    monkeypatch.setitem(sys.modules, "keras_hub", types.SimpleNamespace(models=models))
    return known


def create(name, channels=3, **options):
    return lensnet.models.create(name, input_shape=(16, 16, channels), num_outputs=2, **options)


def test_a_map_and_tokens_become_features(presets):
    presets.update({"resnet": convolutions(), "some/vit": tokens()})
    images = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype("float32")
    for name in presets:
        model = create(f"hub:{name}")
        backbone = presets[name](images)
        features = keras.ops.convert_to_numpy(backbone).reshape(2, -1, 8).mean(axis=1)
        ours = keras.Model(model.input, model.get_layer("global_pool").output)
        np.testing.assert_allclose(ours.predict_on_batch(images), features, atol=1e-6)


def test_other_bands_are_mixed_into_the_colours(presets):
    presets["resnet"] = convolutions()
    grey = np.random.default_rng(0).standard_normal((2, 16, 16, 1)).astype("float32")
    one, three = create("hub:resnet", channels=1), create("hub:resnet")
    three.get_layer("head.logits").set_weights(one.get_layer("head.logits").get_weights())
    np.testing.assert_allclose(
        one.predict_on_batch(grey), three.predict_on_batch(np.repeat(grey, 3, axis=-1)), atol=1e-5
    )


def test_known_to_the_configuration_without_keras_hub():
    assert "hub:anything" in registry.backbones
    assert registry.backbones.get("hub:anything").variant == {"preset": "anything"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symmetry": "c4"}, "has no version of symmetry c4.*average_over"),
        ({"width": 0.5}, "has one width; got width 0.5"),
        ({"name": "hub:none"}, 'cannot load the preset "none": ConnectionError: no such host'),
    ],
)
def test_what_it_cannot_do(presets, options, message):
    presets["resnet"] = convolutions()
    with pytest.raises(ConfigurationError, match=message):
        create(**{"name": "hub:resnet", **options})


def test_without_keras_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ConfigurationError, match="pip install keras-hub"):
        create("hub:resnet")
