"""Heads: the dense layers between the pooled features and the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from lensnet.config.sections import Head

__all__ = ["HEAD_PREFIX", "add_head"]

HEAD_PREFIX = "head."


def add_head(
    features: Any,
    num_outputs: int,
    head: Head | Mapping[str, Any] | None = None,
    activation: str | None = None,
    l2: float = 0.0,
) -> Any:
    """Adds dense layers with ReLU, normalisation and dropout, and the output layer.

    The seven-layer regression head of the halo-mass study is `units: [512, 128]`,
    `normalization: batch`, `dropout: 0.3`: dense, normalisation, dropout, twice, and the output.

    Args:
        features: tensor (batch, features).
        num_outputs: units of the output layer.
        head: the configuration's `model.head`, or a mapping with its keys.
        activation: of the output; None for logits.
        l2: factor of the sum of squared kernel weights in the loss.

    Returns:
        tensor (batch, num_outputs), in float32 whatever the precision of the rest.

    Raises:
        pydantic.ValidationError: a key of `head` that does not exist, or a value out of range.
    """
    config = head if isinstance(head, Head) else Head.model_validate(dict(head or {}))
    decay = keras.regularizers.L2(l2) if l2 else None
    x = features
    for number, units in enumerate(config.units, start=1):
        name = f"{HEAD_PREFIX}dense{number}"
        x = keras.layers.Dense(
            units, kernel_initializer="he_normal", kernel_regularizer=decay, name=name
        )(x)
        if config.normalization == "batch":
            x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}.bn")(x)
        x = keras.layers.Activation("relu", name=f"{name}.relu")(x)
        if config.dropout:
            x = keras.layers.Dropout(config.dropout, name=f"{name}.dropout")(x)
    if config.dropout and not config.units:
        x = keras.layers.Dropout(config.dropout, name=f"{HEAD_PREFIX}dropout")(x)
    x = keras.layers.Dense(
        num_outputs, kernel_regularizer=decay, dtype="float32", name=f"{HEAD_PREFIX}logits"
    )(x)
    if activation is not None:
        x = keras.layers.Activation(activation, dtype="float32", name=f"{HEAD_PREFIX}output")(x)
    return x
