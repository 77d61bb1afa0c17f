"""What the configuration must know of a backbone before any network is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BackboneSpec"]


@dataclass(frozen=True)
class BackboneSpec:
    """One named network of the zoo.

    Args:
        name: the name in `model.backbone`.
        family: the family it is a variant of, which is also its module in `lensnet.models`.
        build: `"module:function"`, the function that builds the network against a kit.
        variant: the family's keyword arguments that make this variant.
        options: what `model.options` may set, with the default values.
        source: the paper.
        minimum_size: the smallest side of an image, in pixels, that makes sense.
        classifier: what timm calls the last dense layer.
        built_by_kit: whether `build` has all layers from the kit, so that the network's cost can be
            counted without building it.
    """

    name: str
    family: str
    build: str
    source: str
    variant: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    minimum_size: int = 32
    classifier: str = "fc"
    built_by_kit: bool = True
