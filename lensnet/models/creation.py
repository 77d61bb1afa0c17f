"""Building a network of the zoo by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from lensnet import registry
from lensnet.config.sections import Head
from lensnet.errors import ConfigurationError, did_you_mean
from lensnet.models.heads import add_head
from lensnet.models.kit import Kit
from lensnet.models.stages import stage_outputs
from lensnet.models.weights import load_weights
from lensnet.models.widths import WidthPolicy, width_factor

__all__ = ["create"]


def create(
    name: str,
    *,
    input_shape: tuple[int, int, int],
    num_outputs: int,
    symmetry: str = "none",
    width: float = 1.0,
    width_policy: WidthPolicy = "flops",
    weights: str | None = None,
    head: Head | Mapping[str, Any] | None = None,
    activation: str | None = None,
    features_only: bool | Sequence[str] = False,
    **family_options: Any,
) -> keras.Model:
    """Builds a network.

    Args:
        name: a name of `lensnet.models.list()`, or `hub:<preset>` for a preset of KerasHub.
        input_shape: (height, width, channels). A symmetric network needs square images.
        num_outputs: classes, or 1 for a binary task or one regression target.
        symmetry: `"none"`, `"c4"`, `"d4"`, `"rot4"` and so on (`lensnet.symmetry.Symmetry`).
        width: multiplier of every channel count.
        width_policy: what a symmetric network has in common with the plain one at `width` 1:
            `"flops"`, `"parameters"` or `"fields"` (`lensnet.models.widths.width_factor`).
        weights: what to start from: a `.keras` or `.safetensors` file, a run folder or
            `timm/<name>.<tag>` (`lensnet.models.load_weights`); the head may differ.
        head: dense layers before the output; the keys of `model.head` in an experiment file.
        activation: of the output. Default: none, the model gives logits.
        features_only: give the maps at the end of each stage, or of the stages named, instead of
            logits, as a dictionary by the stages' names. A map of a symmetric network turns with
            the image; its channels are fields.
        **family_options: what the family takes; see `lensnet models`.

    Returns:
        a functional `keras.Model`: (batch, height, width, channels) to (batch, num_outputs).
        Between features and head lies the layer `global_pool` (`global_pool.group` where fields
        are pooled), and at the end of each stage the layer `stage.<name>`.

    Raises:
        ConfigurationError: an unknown name, symmetry or option, images too small, or weights that
            do not fit, or no such stage.

    Example:

    >>> create("resnet18", input_shape=(64, 64, 1), num_outputs=3, symmetry="c4").output_shape
    (None, 3)
    """
    spec = registry.backbones.get(name)
    for option in family_options:
        if option not in spec.options:
            raise ConfigurationError(
                f'"{name}" takes no option "{option}".{did_you_mean(option, spec.options)} '
                f"Allowed: {', '.join(spec.options) or 'none'}."
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
    kit = Kit.create(symmetry, width=width * width_factor(name, symmetry, width_policy))
    build = registry.load_object(spec.build)
    image = keras.Input((height, image_width, channels), name="image")
    features = build(kit, image, **spec.variant, **family_options)
    if features_only:
        return _stages_model(image, features, features_only, name)
    features = kit.invariant(features, name="global_pool")
    outputs = add_head(features, num_outputs, head, activation)
    # The name of a preset may be a path.
    model = keras.Model(image, outputs, name=re.sub(r"[^\w.-]", "_", name))
    if weights is not None:
        load_weights(model, weights)
    return model


def _stages_model(
    image: Any, features: Any, wanted: bool | Sequence[str], name: str
) -> keras.Model:
    """The model that gives the maps of the stages."""
    maps = stage_outputs(keras.Model(image, features))
    if not isinstance(wanted, bool):
        for stage in wanted:
            if stage not in maps:
                raise ConfigurationError(
                    f'"{name}" has no stage "{stage}".{did_you_mean(stage, maps)} Stages: '
                    f"{', '.join(maps)}."
                )
        maps = {stage: maps[stage] for stage in wanted}
    return keras.Model(image, maps, name=name)
