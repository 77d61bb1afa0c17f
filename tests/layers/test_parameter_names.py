"""Dots in the names of layers, which PyTorch does not take in those of parameters."""

import keras
import pytest

from lensnet.layers.parameter_names import allow_dots_in_names


@pytest.fixture
def path(monkeypatch):
    """The path of a variable, for a backend; Keras is as it was afterwards."""

    def of(backend):
        monkeypatch.setattr(keras.Variable, "path", keras.Variable.path)
        monkeypatch.setattr(keras.backend, "backend", lambda: backend)
        allow_dots_in_names()
        layer = keras.layers.Dense(1, name="layer1.0.conv1")
        layer.build((None, 2))
        assert layer.name == "layer1.0.conv1"
        return layer.kernel.path

    return of


def test_pytorch_sees_none(path):
    assert path("torch") == "layer1_0_conv1/kernel"


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch's paths have none")
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_other_backends_see_them(path, backend):
    assert path(backend) == "layer1.0.conv1/kernel"
