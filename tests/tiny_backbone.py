"""A backbone of two convolutions for tests: everything that trains, and traced in a second."""

from __future__ import annotations

from typing import Any

from lensnet import registry
from lensnet.config.backbone import BackboneSpec

__all__ = ["register"]

SPEC = BackboneSpec(
    name="tiny",
    family="tiny",
    build="tiny_backbone:build",
    source="of these tests",
    minimum_size=8,
    options={"dropout": 0.0},
)


def register() -> None:
    """Adds the backbone to the zoo of this process."""
    registry.backbones.register(SPEC.name, SPEC)


def build(kit: Any, image: Any, *, dropout: float = 0.0) -> Any:
    """Convolution, normalisation, activation, twice, the second with a stride."""
    x = kit.lift(image, 64, 3, name="conv1")
    x = kit.activation(kit.norm(x, name="bn1"), "relu", name="relu1")
    x = kit.stage(x, "one")
    x = kit.conv(x, 64, 3, strides=2, name="conv2")
    x = kit.activation(kit.norm(x, name="bn2"), "relu", name="relu2")
    x = kit.stage(x, "two")
    return kit.dropout(x, dropout, name="dropout")
