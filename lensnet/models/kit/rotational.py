"""The kit of rot4, rot8 and rot4_inputs: the maximum over rotations, scalar features."""

from __future__ import annotations

from typing import Any, final

import keras

from lensnet.errors import ConfigurationError
from lensnet.layers.convolution.rotational_conv2d import RotationalConv2D
from lensnet.layers.convolution.rotational_depthwise_conv2d import RotationalDepthwiseConv2D
from lensnet.layers.convolution.rotational_rectangular_conv2d import RotationalRectangularConv2D
from lensnet.models.kit.scalar import ScalarKit
from lensnet.models.kit.symmetric import SymmetricKit
from lensnet.symmetry import Group

__all__ = ["RotationalKit"]


@final
class RotationalKit(SymmetricKit, ScalarKit):
    """`RotationalConv2D` and its kin, and stock layers where they are symmetric.

    A pointwise filter looks the same from every side, so pointwise convolutions are stock ones;
    not so where the inputs are turned, for there every layer sees four images. Where filters are
    turned by other angles than 90 degrees, 5x5 pixels take the place of 1x7 and 7x1.
    """

    @property
    def _rotations(self) -> int:
        return (self.symmetry.group or Group(1)).rotations

    @property
    def _turns_filters(self) -> bool:
        return self.symmetry.rotate == "filters"

    def _window(self, kernel_size: Any) -> Any:
        turns_on_grid = 4 % self._rotations == 0 and self._turns_filters
        return kernel_size if isinstance(kernel_size, int) or turns_on_grid else 5

    def _lifting_layer(self, **options: Any) -> keras.Layer:
        return self._conv_layer(**options)

    def _conv_layer(self, *, kernel_size: Any, groups: int = 1, **options: Any) -> keras.Layer:
        options |= {
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": self.kernel_regularizer,
        }
        if not isinstance(kernel_size, int):
            if kernel_size[0] != kernel_size[1]:
                del options["strides"]  # no window of this shape has one (`SymmetricKit._fit`)
                return RotationalRectangularConv2D(
                    kernel_size=kernel_size, rotations=self._rotations, **options
                )
            kernel_size = kernel_size[0]
        if kernel_size == 1 and self._turns_filters:
            return keras.layers.Conv2D(kernel_size=1, groups=groups, **options)
        return RotationalConv2D(
            kernel_size=kernel_size,
            groups=groups,
            rotations=self._rotations,
            rotate=self.symmetry.rotate,
            **options,
        )

    def _depthwise_layer(self, **options: Any) -> keras.Layer:
        if not self._turns_filters:
            raise ConfigurationError(
                f'"{options["name"]}": {self.symmetry} has no depthwise convolution. Use '
                f'"rot{self._rotations}", which turns the filters.'
            )
        return RotationalDepthwiseConv2D(
            rotations=self._rotations,
            depthwise_initializer=self._depthwise_initializer(),
            depthwise_regularizer=self.kernel_regularizer,
            **options,
        )
