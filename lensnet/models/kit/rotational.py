"""The kit of rot4, rot8 and rot4_inputs: the maximum over rotations, scalar features."""

from __future__ import annotations

from typing import Any, final

import keras

from lensnet.layers.convolution.rotational_conv2d import RotationalConv2D
from lensnet.layers.convolution.rotational_depthwise_conv2d import RotationalDepthwiseConv2D
from lensnet.layers.convolution.rotational_rectangular_conv2d import RotationalRectangularConv2D
from lensnet.models.kit.scalar import ScalarKit
from lensnet.models.kit.symmetric import SymmetricKit
from lensnet.models.kit.windows import Window
from lensnet.symmetry import Group

__all__ = ["RotationalKit"]


@final
class RotationalKit(SymmetricKit, ScalarKit):
    """`RotationalConv2D` and its kin, and stock layers where they are symmetric.

    A pointwise filter looks the same from every side, so pointwise convolutions are stock ones;
    not so where the inputs are rotated, for there every layer sees four images.
    """

    @property
    def _rotations(self) -> int:
        return (self.symmetry.group or Group(1)).rotations

    def _lift(self, image: Any, channels: int, window: Window, **options: Any) -> Any:
        return self._conv(image, channels, window, groups=1, **options)

    def _conv(self, x: Any, channels: int, window: Window, *, groups: int, **options: Any) -> Any:
        options |= {
            "filters": channels,
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": self.kernel_regularizer,
            **self._window_options(window),
        }
        if not isinstance(window.kernel_size, int):
            del options["strides"]  # no window of this shape has one (`windows`)
            return RotationalRectangularConv2D(rotations=self._rotations, **options)(x)
        if window.kernel_size == 1 and self.symmetry.rotate == "filters":
            return keras.layers.Conv2D(groups=groups, **options)(x)
        return RotationalConv2D(
            groups=groups,
            rotations=self._rotations,
            rotate=self.symmetry.rotate,
            **options,
        )(x)

    def _depthwise(self, x: Any, window: Window, **options: Any) -> Any:
        return RotationalDepthwiseConv2D(
            rotations=self._rotations,
            depthwise_initializer=self._depthwise_initializer(),
            depthwise_regularizer=self.kernel_regularizer,
            **self._window_options(window),
            **options,
        )(x)

    def add_positions(self, x: Any, size: tuple[int, int], **options: Any) -> Any:
        return self._positions.add_positions(self, x, size, **options)

    def position_bias(self, x: Any, size: tuple[int, int], heads: int, **options: Any) -> Any:
        return self._positions.position_bias(self, x, size, heads, **options)

    @property
    def _positions(self) -> type[ScalarKit] | type[SymmetricKit]:
        """Whose layers hold what is learnt of positions.

        Where the inputs are rotated, the first convolution has answered to all rotations: maps do
        not turn with the image, and no position is another's image.
        """
        return ScalarKit if self.symmetry.rotate == "inputs" else SymmetricKit
