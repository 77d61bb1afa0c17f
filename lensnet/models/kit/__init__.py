"""The kit: what a backbone is built from, so that it is written once for every symmetry.

A family's builder gets a kit and asks it for layers: `x = kit.conv(x, 64, 3, name="conv1")`. With
symmetry `none` the kit answers with stock Keras layers, padded as PyTorch pads, so that weights
are portable. With a symmetry it answers with that symmetry's layers. What a kit has no exact
counterpart for it refuses, naming the layer and the group: it never falls back to a layer that
breaks the symmetry.

The kit lives while the network is built; no model keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lensnet.models.kit.interface import Kit

if TYPE_CHECKING:
    from lensnet.models.kit.factory import make_kit

__all__ = ["Kit", "make_kit"]


def __getattr__(name: str) -> Any:
    # Counting multiply-adds needs no Keras, which kits of layers import.
    if name == "make_kit":
        from lensnet.models.kit.factory import make_kit

        return make_kit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
