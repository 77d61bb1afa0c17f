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

_FOUR_STAGES = {"depths": (1, 2, 1, 1)}
_SHORT: dict[str, dict[str, Any]] = {
    "inception_v4": {"depths": (1, 1, 1)},
    "inception_resnet_v2": {"depths": (1, 1, 2)},
    "densenet": _FOUR_STAGES,
    "resnet": _FOUR_STAGES,
    "resnetv2": _FOUR_STAGES,
    "cspnet": _FOUR_STAGES,
    "convnext": _FOUR_STAGES,
    "vgg": {"depths": (1, 2, 1, 1, 1)},
    "vit": {"depth": 3},
}
"""One block a stage, and two in one of them, by family; of a transformer three blocks."""


def short_spec(name: str) -> BackboneSpec:
    """A specification of the zoo with few blocks, where its family can have fewer."""
    spec = registry.backbones.get(name)
    variant = _SHORT.get(spec.family, {})
    if spec.family == "efficientnet":
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
