"""What the kits of every symmetry but `none` share."""

from __future__ import annotations

from typing import Any

from lensnet.layers.spatial.symmetric_downsample2d import SymmetricDownsample2D
from lensnet.models.kit.shared import KerasKit

__all__ = ["SymmetricKit"]


class SymmetricKit(KerasKit):
    """Layers that lie symmetrically on the map; where windows lie is said in `windows`."""

    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        return SymmetricDownsample2D(strides, window_size=strides, name=name)(x)
