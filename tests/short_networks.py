"""Networks of the zoo with as few blocks as show what their blocks do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from lensnet import registry
from lensnet.config.backbone import BackboneSpec
from lensnet.models.building import build_network
from lensnet.models.kit import make_kit

__all__ = ["ONE_OF_EACH_FAMILY", "build_short", "short_spec"]

ONE_OF_EACH_FAMILY = (
    "resnet18",
    "resnetv2_50",
    "cspresnet50",
    "densenet121",
    "vgg16",
    "lens_cnn",
    "inception_v3",
    "inception_v4",
    "inception_resnet_v2",
    "efficientnet_b0",
    "mobilenetv3_small_100",
    "convnext_atto",
)

_ONE_BLOCK_A_STAGE = {
    "resnet18",
    "seresnet50",
    "ecaresnet50d",
    "resnext50_32x4d",
    "resnetv2_50",
    "cspresnet50",
    "convnext_atto",
}


def short_spec(name: str) -> BackboneSpec:
    """A specification of the zoo with one block a stage, where its family can have it."""
    spec = registry.backbones.get(name)
    variant: dict[str, Any] = {}
    if name in _ONE_BLOCK_A_STAGE:
        variant = {"depths": (1, 1, 1, 1)}
    elif name.startswith("densenet"):
        variant = {"depths": (1, 2, 1, 1)}
    elif "stages" in spec.variant and spec.family == "efficientnet":
        stages = spec.variant["stages"]
        variant = {"stages": tuple(replace(blocks, depth=1) for blocks in stages)}
    return replace(spec, variant={**spec.variant, **variant})


def build_short(
    name: str, symmetry: str, size: int = 32, *, width: float = 0.125, channels: int = 1
) -> keras.Model:
    """Such a network, for three classes."""
    return build_network(
        short_spec(name),
        make_kit(symmetry, width=width),
        input_shape=(size, size, channels),
        num_outputs=3,
    )
