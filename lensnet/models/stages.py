"""The stages of a network: what lies between two marks that its builder set."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["STAGE_PREFIX", "layers_by_stage", "stage_outputs", "stride_of"]

STAGE_PREFIX = "stage."


def stage_outputs(model: keras.Model) -> dict[str, Any]:
    """The output tensor of each stage, by the stage's name, from the image on.

    Args:
        model: made by `lensnet.models.create`, or such a model loaded from a file.
    """
    return {
        layer.name.removeprefix(STAGE_PREFIX): layer.output
        for layer in model.layers
        if layer.name.startswith(STAGE_PREFIX)
    }


def stride_of(tensor: Any) -> int:
    """Returns how many pixels of the image lie between neighbouring pixels of a map.

    That is the product of the strides on the way, which the sizes alone do not tell where
    convolutions leave out the border.

    Args:
        tensor: a map of a functional model, such as `stage_outputs` returns.

    Example:

    >>> image = keras.Input((64, 64, 1))
    >>> x = keras.layers.Conv2D(4, 5, strides=2, padding="valid")(image)
    >>> stride_of(keras.layers.MaxPooling2D(3, strides=2)(x))
    4
    """
    stride = 1
    while True:
        layer, node, _ = tensor._keras_history
        inputs = layer._inbound_nodes[node].input_tensors
        if not inputs:
            return stride
        # All ways to a sum, or to maps side by side, have the same stride.
        tensor, strides = inputs[0], getattr(layer, "strides", 1)
        stride *= max(strides) if isinstance(strides, list | tuple) else strides or 1


def layers_by_stage(model: keras.Model) -> dict[str, list[keras.Layer]]:
    """The layers with weights of each stage, and under "head" those after the last.

    A layer belongs to the first stage whose output depends on it; the stem to the first stage.
    """
    stages: dict[str, list[keras.Layer]] = {}
    seen: set[str] = set()
    for stage, output in {**stage_outputs(model), "head": model.output}.items():
        part = [layer for layer in keras.Model(model.input, output).layers if layer.weights]
        stages[stage] = [layer for layer in part if layer.name not in seen]
        seen.update(layer.name for layer in part)
    return stages
