"""What goes into a network's head and what comes out of it, in a model as a run saves it."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.errors import ConfigurationError
from lensnet.models.heads import HEAD_PREFIX

__all__ = ["logits_of_head", "pooled_features"]

_LOGITS = f"{HEAD_PREFIX}logits"


def pooled_features(model: keras.Model) -> Any:
    """Returns the tensor of pooled features, (batch, features), that the head is put on.

    Those of a symmetric network do not change when the image is rotated.

    Args:
        model: made by `lensnet.models.create`, or such a model loaded from a file; not folded.

    Raises:
        ConfigurationError: it has no pooled layer.

    Example:

    >>> from lensnet.models import create
    >>> model = create("lens_cnn", input_shape=(64, 64, 1), num_outputs=2, width=0.125)
    >>> tuple(pooled_features(model).shape)
    (None, 32)
    """
    for layer in getattr(model, "layers", ()):
        if layer.name.startswith(HEAD_PREFIX):
            features = layer.input
            if not isinstance(features, list | tuple) and len(features.shape) == 2:
                return features
            break
    raise ConfigurationError(
        f'"{model.name}" has no pooled layer: no features (batch, features) with a head of '
        "lensnet's on them, as every network of the zoo has that `lensnet fit` trained. An "
        "ensemble has several: take the run of one of its members."
    )


def logits_of_head(model: keras.Model) -> Any:
    """Returns the tensor that the head gives before any activation, (batch, outputs).

    Args:
        model: as of `pooled_features`.

    Raises:
        ConfigurationError: it has no head.
    """
    for layer in getattr(model, "layers", ()):
        if layer.name == _LOGITS:
            return layer.output
    pooled_features(model)
    raise ConfigurationError(f'"{model.name}" has no layer "{_LOGITS}".')
