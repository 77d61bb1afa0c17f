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
    "vit_tiny_patch16_224",
)
"""The cheapest, but for EfficientNet, whose Lite0 has no squeeze-and-excitation."""

KINDS_OF_BLOCKS = (*ONE_OF_EACH_FAMILY, "seresnet50", "ecaresnet50d", "resnext50_32x4d")
"""And what else a ResNet's blocks can be."""

_SHORT_DEPTHS = {
    "inception_v4": (1, 1, 1),
    "inception_resnet_v2": (1, 1, 2),
    "densenet": (1, 2, 1, 1),
    "resnet": (1, 2, 1, 1),
    "resnetv2": (1, 2, 1, 1),
    "cspnet": (1, 2, 1, 1),
    "convnext": (1, 2, 1, 1),
    "vgg": (1, 2, 1, 1, 1),
}
"""One block a stage, and two in one of them, by family."""

_SHORT_DEPTH = {"vit": 3}
"""Blocks of families without stages of their own."""


def short_spec(name: str) -> BackboneSpec:
    """A specification of the zoo with few blocks, where its family can have fewer."""
    spec = registry.backbones.get(name)
    variant: dict[str, Any] = {}
    if spec.family in _SHORT_DEPTHS:
        variant = {"depths": _SHORT_DEPTHS[spec.family]}
    elif spec.family in _SHORT_DEPTH:
        variant = {"depth": _SHORT_DEPTH[spec.family]}
    elif spec.family == "efficientnet":
        depths = [2 if index == 1 else 1 for index in range(len(spec.variant["stages"]))]
        stages = zip(spec.variant["stages"], depths, strict=True)
        variant = {"stages": tuple(replace(blocks, depth=depth) for blocks, depth in stages)}
    return replace(spec, variant={**spec.variant, **variant})


def build_short(
    name: str,
    symmetry: str,
    size: int | tuple[int, int] = 32,
    *,
    width: float = 0.125,
    channels: int = 1,
    **options: Any,
) -> keras.Model:
    """Such a network, for three classes; options as of `build_network`."""
    height, image_width = (size, size) if isinstance(size, int) else size
    return build_network(
        short_spec(name),
        make_kit(symmetry, width=width),
        input_shape=(height, image_width, channels),
        num_outputs=3,
        **options,
    )
