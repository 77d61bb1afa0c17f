"""The kit of c4, d4, c8 and other groups: stacks of regular fields."""

from __future__ import annotations

from typing import Any, final

import keras

from lensnet.layers.accelerated.devices import on_cpus_alone
from lensnet.layers.convolution.group_conv2d import GroupConv2D
from lensnet.layers.convolution.group_depthwise_conv2d import GroupDepthwiseConv2D
from lensnet.layers.convolution.group_rectangular_conv2d import GroupRectangularConv2D
from lensnet.layers.fields.field_basis import FieldBasis, IrrepActivation
from lensnet.layers.fields.field_channel_attention import FieldChannelAttention
from lensnet.layers.fields.field_dense import FieldDense
from lensnet.layers.fields.field_dropout import FieldDropout
from lensnet.layers.fields.field_layer_normalization import FieldLayerNormalization
from lensnet.layers.fields.field_normalization import FieldNormalization
from lensnet.layers.fields.field_scale import FieldScale
from lensnet.layers.fields.field_squeeze_excite import FieldSqueezeExcite
from lensnet.layers.fields.group_pool import GroupPool
from lensnet.layers.fields.subgroup_restriction import SubgroupRestriction
from lensnet.layers.spatial.drop_path import DropPath
from lensnet.layers.tokens.field_tokens import FieldTokens
from lensnet.models.kit.symmetric import SymmetricKit
from lensnet.models.kit.windows import Window
from lensnet.symmetry import Symmetry

__all__ = ["RegularKit"]

LEAST_IRREP_CHANNELS = {"c4": 192, "d4": 192}
"""Channels from which on it pays on a CPU to bring rows into the basis of irreducible
representations. Measured (TensorFlow 2.21, one thread of a Xeon with AVX-512, a training step of
two blocks of a transformer, 32 images of 65 tokens, time over that without): of 192 channels 0.73
for d4 and 0.82 for c4, of 384 0.39 and 0.69. Other groups and fewer channels were not measured."""


def least_irrep_channels(symmetry: Symmetry) -> float:
    """From how many channels on rows are brought into the basis of irreducible representations."""
    return LEAST_IRREP_CHANNELS.get(str(symmetry), float("inf"))


@final
class RegularKit(SymmetricKit):
    """`GroupConv2D` and its kin, and what keeps fields whole."""

    basis = "regular"
    """That of the channels of rows: `"irreps"` in a kit that `block_diagonal` gives."""

    def _lift(self, image: Any, channels: int, window: Window, **options: Any) -> Any:
        return self._conv(image, channels, window, groups=1, lifting=True, **options)

    def _conv(self, x: Any, channels: int, window: Window, *, groups: int, **options: Any) -> Any:
        options |= {
            "filters": self._fields(channels),
            "group": str(self.symmetry),
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": self.kernel_regularizer,
            **self._window_options(window),
        }
        if isinstance(window.kernel_size, int):
            return GroupConv2D(groups=groups, **options)(x)
        del options["strides"]  # no window of this shape has one (`windows`)
        return GroupRectangularConv2D(**options)(x)

    def _depthwise(self, x: Any, window: Window, **options: Any) -> Any:
        return GroupDepthwiseConv2D(
            group=str(self.symmetry),
            depthwise_initializer=self.depthwise_initializer,
            depthwise_regularizer=self.kernel_regularizer,
            **self._window_options(window),
            **options,
        )(x)

    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        return FieldNormalization(
            str(self.symmetry),
            momentum=self.normalization_momentum,
            epsilon=self.normalization_epsilon,
            gamma_initializer=gamma_initializer,
            name=name,
        )(x)

    def layer_norm(self, x: Any, *, epsilon: float = 1e-6, name: str) -> Any:
        return FieldLayerNormalization(
            str(self.symmetry), epsilon=epsilon, basis=self.basis, name=name
        )(x)

    def scale(self, x: Any, *, initial: float, name: str) -> Any:
        initializer = keras.initializers.Constant(initial)
        return FieldScale(str(self.symmetry), initializer=initializer, basis=self.basis, name=name)(
            x
        )

    def squeeze_excite(
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

    def channel_attention(self, x: Any, kernel_size: int, *, name: str) -> Any:
        return FieldChannelAttention(str(self.symmetry), kernel_size, name=name)(x)

    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        return FieldDropout(str(self.symmetry), rate, name=name)(x) if rate else x

    def drop_path(self, x: Any, rate: float, *, name: str) -> Any:
        return DropPath(rate, name=name)(x) if rate else x

    def block_diagonal(self, channels: int) -> RegularKit:
        if channels < least_irrep_channels(self.symmetry) or not on_cpus_alone():
            return self
        return self.replace(basis="irreps")

    def enter(self, x: Any, *, name: str) -> Any:
        return self._change_basis(x, "irreps", name)

    def leave(self, x: Any, *, name: str) -> Any:
        return self._change_basis(x, "regular", name)

    def _change_basis(self, x: Any, to: str, name: str) -> Any:
        if self.basis == "regular":
            return x
        return FieldBasis(str(self.symmetry), to, name=name)(x)

    def _dense(self, channels: int, *, name: str, **heads: int) -> keras.layers.Layer:
        return FieldDense(
            str(self.symmetry),
            self._fields(channels),
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            basis=self.basis,
            name=name,
            **heads,
        )

    def _activation(self, activation: str, *, name: str) -> keras.layers.Layer:
        if self.basis == "irreps":
            return IrrepActivation(str(self.symmetry), activation, name=name)
        return super()._activation(activation, name=name)

    def learned_tokens(self, x: Any, count: int, *, name: str) -> Any:
        initializer = self.kernel_initializer
        return FieldTokens(str(self.symmetry), count, initializer=initializer, name=name)(x)

    def invariant(self, x: Any, *, name: str) -> Any:
        x = keras.layers.GlobalAveragePooling2D(name=name)(x)
        return GroupPool(str(self.symmetry), name=f"{name}.group")(x)

    def restrict(self, x: Any, subgroup: str, *, name: str) -> tuple[RegularKit, Any]:
        """Goes on with fewer symmetries, such as d8 to c4 deeper in a network.

        Returns:
            the kit of the subgroup, and the features as stacks of its fields.

        Raises:
            ValueError: it is not a subgroup.
        """
        x = SubgroupRestriction(str(self.symmetry), subgroup, name=name)(x)
        return self.replace(symmetry=Symmetry.parse(subgroup)), x
