"""Building a network of the zoo by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from lensnet import registry
from lensnet.config.sections import Head
from lensnet.errors import ConfigurationError, nearest
from lensnet.layers.kit import Kit
from lensnet.models.heads import add_head
from lensnet.models.weights import load_weights

__all__ = ["create"]


def create(
    name: str,
    *,
    input_shape: tuple[int, int, int],
    num_outputs: int,
    symmetry: str = "none",
    width: float = 1.0,
    weights: str | None = None,
    head: Head | Mapping[str, Any] | None = None,
    activation: str | None = None,
    **family_options: Any,
) -> keras.Model:
    """Builds a network.

    Args:
        name: a name of `lensnet.models.list()`.
        input_shape: (height, width, channels). A symmetric network needs square images.
        num_outputs: classes, or 1 for a binary task or one regression target.
        symmetry: `"none"`, `"c4"`, `"d4"`, `"rot4"` and so on (`lensnet.symmetry.Symmetry`).
        width: multiplier of every channel count.
        weights: a `.keras` file or a run folder whose weights to start from; the head may differ.
        head: dense layers before the output; the keys of `model.head` in an experiment file.
        activation: of the output. Default: none, the model gives logits.
        **family_options: what the family takes; see `lensnet models`.

    Returns:
        a functional `keras.Model`: (batch, height, width, channels) to (batch, num_outputs).

    Raises:
        ConfigurationError: an unknown name, symmetry or option, images too small, or weights that
            do not fit.

    Example:

    >>> create("resnet18", input_shape=(64, 64, 1), num_outputs=3, symmetry="c4").output_shape
    (None, 3)
    """
    spec = registry.backbones.get(name)
    for option in family_options:
        if option not in spec.options:
            raise ConfigurationError(
                f'"{name}" takes no option "{option}".{nearest(option, spec.options)} Allowed: '
                f"{', '.join(spec.options) or 'none'}."
            )
    height, image_width, channels = input_shape
    if min(height, image_width) < spec.minimum_size:
        raise ConfigurationError(
            f'"{name}" needs images of {spec.minimum_size} x {spec.minimum_size} pixels or more; '
            f"got {height} x {image_width}."
        )
    if symmetry != "none" and height != image_width:
        raise ConfigurationError(
            f"A symmetric network needs square images; got {height} x {image_width} pixels."
        )
    kit = Kit.create(symmetry, width=width)
    build = registry.load_object(spec.build)
    image = keras.Input((height, image_width, channels), name="image")
    features = build(kit, image, **spec.variant, **family_options)
    features = kit.invariant(features, name="global_pool")
    outputs = add_head(features, num_outputs, head, activation)
    model = keras.Model(image, outputs, name=name)
    if weights is not None:
        load_weights(model, weights)
    return model
