"""What the kits of every symmetry but `none` share."""

from __future__ import annotations

from typing import Any

from lensnet.layers.spatial.symmetric_downsample2d import SymmetricDownsample2D
from lensnet.layers.tokens.field_position_bias import FieldPositionBias
from lensnet.layers.tokens.field_position_embedding import FieldPositionEmbedding
from lensnet.models.kit.shared import KerasKit

__all__ = ["SymmetricKit"]


class SymmetricKit(KerasKit):
    """Layers that lie symmetrically on the map; where windows lie is said in `windows`."""

    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        return SymmetricDownsample2D(strides, window_size=strides, name=name)(x)

    def add_positions(
        self, x: Any, size: tuple[int, int], *, prefix_tokens: int = 0, name: str
    ) -> Any:
        return FieldPositionEmbedding(
            str(self.symmetry.group),
            size[0],
            prefix_tokens=prefix_tokens,
            scalar=self.symmetry.kind == "rotational",
            initializer=self.kernel_initializer,
            name=name,
        )(x)

    def position_bias(
        self, x: Any, size: tuple[int, int], heads: int, *, prefix_tokens: int = 0, name: str
    ) -> Any:
        return FieldPositionBias(
            str(self.symmetry.group),
            size[0],
            heads,
            prefix_tokens=prefix_tokens,
            initializer=self.kernel_initializer,
            name=name,
        )(x)
