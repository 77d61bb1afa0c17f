"""The kit of c4, d4, c8 and other groups: stacks of regular fields."""

from __future__ import annotations

from typing import Any, final

import keras

from lensnet.layers.convolution.group_conv2d import GroupConv2D
from lensnet.layers.convolution.group_depthwise_conv2d import GroupDepthwiseConv2D
from lensnet.layers.convolution.group_rectangular_conv2d import GroupRectangularConv2D
from lensnet.layers.fields.field_channel_attention import FieldChannelAttention
from lensnet.layers.fields.field_dropout import FieldDropout
from lensnet.layers.fields.field_layer_normalization import FieldLayerNormalization
from lensnet.layers.fields.field_normalization import FieldNormalization
from lensnet.layers.fields.field_scale import FieldScale
from lensnet.layers.fields.field_squeeze_excite import FieldSqueezeExcite
from lensnet.layers.fields.group_pool import GroupPool
from lensnet.layers.fields.subgroup_restriction import SubgroupRestriction
from lensnet.layers.spatial.drop_path import DropPath
from lensnet.models.kit.interface import Kit
from lensnet.models.kit.symmetric import SymmetricKit
from lensnet.symmetry import Group, Symmetry

__all__ = ["RegularKit"]

HARMONIC_SIZE = 5
"""Pixels along a filter of circular harmonics that stands for 3x3 taps."""


@final
class RegularKit(SymmetricKit):
    """`GroupConv2D` and its kin, and what keeps fields whole.

    Where a group turns by other angles than 90 degrees (c8, d16), filters of 5x5 pixels take the
    place of 3x3, which hold too few circular harmonics, and square ones that of 1x7 and 7x1,
    which cannot be turned by 45 degrees; maps keep their sizes. Filters of an even size, 2x2 and
    4x4 with as large a step, stay.
    """

    @property
    def _group(self) -> Group:
        assert self.symmetry.group is not None  # noqa: S101  what "regular" means
        return self.symmetry.group

    def _window(self, kernel_size: Any) -> Any:
        if self._group.exact_on_grid or kernel_size == 1:
            return kernel_size
        return (
            HARMONIC_SIZE if not isinstance(kernel_size, int) or kernel_size == 3 else kernel_size
        )

    def _fields(self, channels: int) -> int:
        return channels // self.symmetry.order

    def _lifting_layer(self, **options: Any) -> keras.Layer:
        return self._conv_layer(lifting=True, **options)

    def _conv_layer(self, *, kernel_size: Any, groups: int = 1, **options: Any) -> keras.Layer:
        options |= {
            "filters": self._fields(options["filters"]),
            "group": str(self.symmetry),
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": self.kernel_regularizer,
        }
        if isinstance(kernel_size, int):
            return GroupConv2D(kernel_size=kernel_size, groups=groups, **options)
        if kernel_size[0] == kernel_size[1]:
            return GroupConv2D(kernel_size=kernel_size[0], groups=groups, **options)
        self._refuse_groups(groups, options["name"])
        del options["strides"]  # no window of this shape has one (`SymmetricKit._fit`)
        return GroupRectangularConv2D(kernel_size=kernel_size, **options)

    def _depthwise_layer(self, **options: Any) -> keras.Layer:
        return GroupDepthwiseConv2D(
            group=str(self.symmetry),
            depthwise_initializer=self.depthwise_initializer,
            depthwise_regularizer=self.kernel_regularizer,
            **options,
        )

    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        return FieldNormalization(
            str(self.symmetry),
            momentum=self.normalization_momentum,
            epsilon=self.normalization_epsilon,
            gamma_initializer=gamma_initializer,
            name=name,
        )(x)

    def layer_norm(self, x: Any, *, epsilon: float = 1e-6, name: str) -> Any:
        return FieldLayerNormalization(str(self.symmetry), epsilon=epsilon, name=name)(x)

    def scale(self, x: Any, *, initial: float, name: str) -> Any:
        initializer = keras.initializers.Constant(initial)
        return FieldScale(str(self.symmetry), initializer=initializer, name=name)(x)

    def gate(
        self,
        x: Any,
        reduced_channels: int,
        *,
        activation: str = "relu",
        gate_activation: str = "sigmoid",
        layer_names: tuple[str, str] = ("conv_reduce", "conv_expand"),
        name: str,
    ) -> Any:
        return FieldSqueezeExcite(
            str(self.symmetry),
            self._fields(self.channels(reduced_channels)),
            activation=activation,
            gate_activation=gate_activation,
            name=name,
        )(x)

    def channel_gate(self, x: Any, kernel_size: int, *, name: str) -> Any:
        return FieldChannelAttention(str(self.symmetry), kernel_size, name=name)(x)

    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        return FieldDropout(str(self.symmetry), rate, name=name)(x) if rate else x

    def drop_path(self, x: Any, rate: float, *, name: str) -> Any:
        return DropPath(rate, name=name)(x) if rate else x

    def invariant(self, x: Any, *, name: str) -> Any:
        x = keras.layers.GlobalAveragePooling2D(name=name)(x)
        return GroupPool(str(self.symmetry), name=f"{name}.group")(x)

    def restrict(self, x: Any, subgroup: str, *, name: str) -> tuple[Kit, Any]:
        """Goes on with fewer symmetries, such as d8 to c4 deeper in a network.

        Returns:
            the kit of the subgroup, and the features as stacks of its fields.

        Raises:
            ValueError: it is no subgroup.
        """
        x = SubgroupRestriction(str(self.symmetry), subgroup, name=name)(x)
        return self.replace(symmetry=Symmetry.parse(subgroup)), x

    def _refuse_groups(self, groups: int, name: str) -> None:
        if groups > 1:
            raise ValueError(
                f'"{name}": {self.symmetry} has no convolution in groups whose filters are not '
                "square."
            )
