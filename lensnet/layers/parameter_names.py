"""Names of layers with dots in them, such as timm's, on every backend."""

from __future__ import annotations

import keras

__all__ = ["allow_dots_in_names", "without_dots"]


def without_dots(name: str) -> str:
    """The name of a layer as PyTorch takes it: "layer1_0_conv1" for "layer1.0.conv1"."""
    return name.replace(".", "_")


def allow_dots_in_names() -> None:
    """Lets variables of layers whose names hold dots become PyTorch's parameters.

    Keras (3.15.1) gives PyTorch each variable under its path, which begins with the name of its
    layer, and PyTorch allows no dot there: a layer named "layer1.0.conv1" could not be built. With
    that backend paths have "_" in place of dots from here on. Layers keep their names; saved
    weights are not found by paths. With other backends nothing changes. A folded model has no dots
    in its names, so that PyTorch reads it without lensnet; whoever reads another model of the zoo
    with PyTorch and has not imported lensnet meets PyTorch's error.
    """
    if keras.backend.backend() != "torch":
        return
    keras.Variable.path = property(lambda variable: without_dots(variable._path))
