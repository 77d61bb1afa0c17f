"""The zoo: backbones by name, each in every symmetry.

Importing this package registers the names without importing Keras: a family's file holds its
table of variants and a builder that is written against a kit, and imports no framework.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from lensnet import registry
from lensnet.models import (
    convnext,
    cspnet,
    densenet,
    efficientnet,
    hub,
    inception_resnet_v2,
    inception_v3,
    inception_v4,
    lens_cnn,
    mobilenet,
    resnet,
    resnetv2,
    vgg,
    vit,
)

if TYPE_CHECKING:
    from lensnet.models.attention import attention_maps
    from lensnet.models.creation import create
    from lensnet.models.timm_weights import load_timm_weights
    from lensnet.models.weights import load_weights

__all__ = ["attention_maps", "create", "list", "load_timm_weights", "load_weights"]

for _family in (
    convnext,
    cspnet,
    densenet,
    efficientnet,
    inception_resnet_v2,
    inception_v3,
    inception_v4,
    lens_cnn,
    mobilenet,
    resnet,
    resnetv2,
    vgg,
    vit,
):
    for _spec in _family.SPECS:
        registry.backbones.register(_spec.name, _spec)
registry.backbones.register_prefix(hub.PREFIX, hub.spec)

_LAZY = {
    "attention_maps": "lensnet.models.attention:attention_maps",
    "create": "lensnet.models.creation:create",
    "load_timm_weights": "lensnet.models.timm_weights:load_timm_weights",
    "load_weights": "lensnet.models.weights:load_weights",
}


def list(pattern: str = "*") -> builtins.list[str]:
    """Returns the names of the zoo that match a shell pattern.

    Example:

    >>> list("resnet1*")
    ['resnet18', 'resnet101', 'resnet152']
    """
    return registry.backbones.names(pattern)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return registry.load_object(_LAZY[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> builtins.list[str]:
    return sorted({*globals(), *_LAZY})
