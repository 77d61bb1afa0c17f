"""The kit: what a backbone is built from, so that it is written once for every symmetry.

A family's builder gets a kit and asks it for layers: `x = kit.conv(x, 64, 3, name="conv1")`. With
symmetry `none` the kit answers with stock Keras layers, padded as PyTorch pads, so that weights
are portable. With a symmetry it answers with that symmetry's layers. What a kit has no exact
counterpart for it does not have a method for, or refuses by name: it never falls back to a layer
that breaks the symmetry.

The kit lives while the network is built; no model keeps it.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, final

import keras

from lensnet.layers.field_normalization import FieldNormalization
from lensnet.layers.group_conv2d import GroupConv2D
from lensnet.layers.group_pool import GroupPool
from lensnet.layers.rotational_conv2d import RotationalConv2D
from lensnet.symmetry import Group, Symmetry

__all__ = ["Kit"]


class Kit(ABC):
    """Supplies the layers of one network. Make one with `Kit.create`.

    Every method takes a tensor and returns a tensor. Channel counts are those of the plain
    network at width 1; the kit applies the width and rounds to whole fields.

    Args:
        symmetry: the network's symmetry.
        width: multiplier of every channel count.
        kernel_initializer: of convolutions.
        kernel_regularizer: of convolutions, `lift`, `conv` and `cover`.
        normalization_momentum, normalization_epsilon: of batch normalisation.
    """

    def __init__(
        self,
        symmetry: Symmetry,
        *,
        width: float = 1.0,
        kernel_initializer: Any = "he_normal",
        kernel_regularizer: Any = None,
        normalization_momentum: float = 0.9,
        normalization_epsilon: float = 1e-5,
    ):
        self.symmetry = symmetry
        self.width = width
        self.kernel_initializer = kernel_initializer
        self.kernel_regularizer = kernel_regularizer
        self.normalization_momentum = normalization_momentum
        self.normalization_epsilon = normalization_epsilon

    @staticmethod
    def create(symmetry: str | Symmetry, **options: Any) -> Kit:
        """Makes the kit of a symmetry.

        Raises:
            ConfigurationError: no such symmetry.
            ValueError: the symmetry's layers do not exist for this group.
        """
        parsed = Symmetry.parse(symmetry)
        return _KITS[parsed.kind](parsed, **options)

    def with_weight_decay(self, factor: float) -> Kit:
        """Returns a kit whose convolutions add `factor` times their squared weights to the loss."""
        kit = copy.copy(self)
        kit.kernel_regularizer = keras.regularizers.L2(factor) if factor else None
        return kit

    # --- what every kit has -----------------------------------------------------------------------

    def channels(self, channels: int) -> int:
        """The channels that the plain network's `channels` become: whole fields, at least one."""
        order = self.symmetry.order
        return order * max(1, round(channels * self.width / order))

    @abstractmethod
    def lift(self, image: Any, filters: int, kernel_size: int, *, name: str, **options: Any) -> Any:
        """The first convolution, from the image's channels to features. Options as `conv`."""

    @abstractmethod
    def conv(
        self,
        x: Any,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> Any:
        """A convolution to `filters` channels of the plain network.

        `padding="same"` pads `(kernel_size - 1) / 2` pixels on every side.
        """

    @abstractmethod
    def cover(self, x: Any, units: int, *, use_bias: bool = True, name: str) -> Any:
        """Flatten and a dense layer: a convolution whose filter covers the whole map.

        Returns a map of one pixel, to which dense layers are pointwise convolutions.
        """

    @abstractmethod
    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        """Batch normalisation."""

    @abstractmethod
    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        """Maximum over windows; `padding="same"` as in `conv`, for maps that are never negative."""

    @abstractmethod
    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        """Dropout of features."""

    @abstractmethod
    def invariant(self, x: Any, *, name: str) -> Any:
        """Pools a map to features, shape (batch, features), that the symmetry does not change."""

    def activation(self, x: Any, activation: str, *, name: str) -> Any:
        """A pointwise non-linearity, which every feature here is compatible with."""
        return keras.layers.Activation(activation, name=name)(x)

    def add(self, tensors: list[Any], *, name: str) -> Any:
        """The sum of maps of one kind."""
        return keras.layers.Add(name=name)(tensors)


@final
class PlainKit(Kit):
    """Stock Keras layers, padded as PyTorch pads."""

    def lift(self, image: Any, filters: int, kernel_size: int, *, name: str, **options: Any) -> Any:
        return self.conv(image, filters, kernel_size, name=name, **options)

    def conv(
        self,
        x: Any,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> Any:
        if padding == "same" and strides > 1:
            # Keras would pad one side more than the other.
            if kernel_size > 1:
                x = keras.layers.ZeroPadding2D((kernel_size - 1) // 2, name=f"{name}.pad")(x)
            padding = "valid"
        return keras.layers.Conv2D(
            self.channels(filters),
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            name=name,
        )(x)

    def cover(self, x: Any, units: int, *, use_bias: bool = True, name: str) -> Any:
        _, height, width, _ = x.shape
        return keras.layers.Conv2D(
            self.channels(units),
            (height, width),
            use_bias=use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            name=name,
        )(x)

    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        return _batch_norm(self, x, name, gamma_initializer)

    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        if padding == "same":
            x = keras.layers.ZeroPadding2D((size - 1) // 2, name=f"{name}.pad")(x)
        return keras.layers.MaxPooling2D(size, strides=strides, name=name)(x)

    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        return keras.layers.Dropout(rate, name=name)(x) if rate else x

    def invariant(self, x: Any, *, name: str) -> Any:
        return keras.layers.GlobalAveragePooling2D(name=name)(x)


class SymmetricKit(Kit):
    """What the symmetric kits share: steps that fit the map.

    A strided window is symmetric only where it fits the map: with padding p, `(size + 2 p -
    kernel_size) % strides` pixels are left over, and they would all be left over on one side.
    Convolutions are preceded by a mean over that many pixels and one (a 2x2 mean on an even map,
    at stride 2), max pooling takes a window that much larger. Maps keep the size that they have
    in the plain network. The size must be known when the network is built.
    """

    @abstractmethod
    def _symmetric_conv(self, filters: int, kernel_size: int, **options: Any) -> keras.Layer:
        """The convolution layer from features to features; `filters` as for `conv`."""

    @abstractmethod
    def _lifting_conv(self, filters: int, kernel_size: int, **options: Any) -> keras.Layer:
        """The convolution layer from the image to features."""

    def lift(self, image: Any, filters: int, kernel_size: int, *, name: str, **options: Any) -> Any:
        return self._apply(self._lifting_conv, image, filters, kernel_size, name=name, **options)

    def conv(
        self,
        x: Any,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> Any:
        return self._apply(
            self._symmetric_conv,
            x,
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            name=name,
        )

    def cover(self, x: Any, units: int, *, use_bias: bool = True, name: str) -> Any:
        return self.conv(x, units, _side(x, name), padding="valid", use_bias=use_bias, name=name)

    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        # With a window that fits, Keras's "same" pads both sides alike.
        window = size + _left_over(x, size, strides, padding, name)
        return keras.layers.MaxPooling2D(window, strides=strides, padding=padding, name=name)(x)

    def _apply(
        self,
        layer: Any,
        x: Any,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> Any:
        left_over = _left_over(x, kernel_size, strides, padding, name)
        if left_over:
            # A pointwise convolution sees only the means that it keeps.
            step = strides if kernel_size == 1 and left_over == strides - 1 else 1
            x = keras.layers.AveragePooling2D(left_over + 1, strides=step, name=f"{name}.align")(x)
            strides = strides // step
        return layer(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            name=name,
        )(x)


@final
class RegularKit(SymmetricKit):
    """Stacks of regular fields: `GroupConv2D` and what keeps fields whole."""

    def _symmetric_conv(self, filters: int, kernel_size: int, **options: Any) -> keras.Layer:
        fields = self.channels(filters) // self.symmetry.order
        return GroupConv2D(fields, kernel_size, str(self.symmetry), **options)

    def _lifting_conv(self, filters: int, kernel_size: int, **options: Any) -> keras.Layer:
        return self._symmetric_conv(filters, kernel_size, lifting=True, **options)

    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        return FieldNormalization(
            str(self.symmetry),
            momentum=self.normalization_momentum,
            epsilon=self.normalization_epsilon,
            gamma_initializer=gamma_initializer,
            name=name,
        )(x)

    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        # Dropping single channels at random changes nothing of the symmetry at inference, when
        # nothing is dropped.
        return keras.layers.Dropout(rate, name=name)(x) if rate else x

    def invariant(self, x: Any, *, name: str) -> Any:
        x = keras.layers.GlobalAveragePooling2D(name=name)(x)
        return GroupPool(str(self.symmetry), name=f"{name}.group")(x)


@final
class RotationalKit(SymmetricKit):
    """Scalar features: `RotationalConv2D`, and stock layers where they are symmetric."""

    def _symmetric_conv(self, filters: int, kernel_size: int, **options: Any) -> keras.Layer:
        group = self.symmetry.group or Group(1)
        return RotationalConv2D(
            self.channels(filters),
            kernel_size,
            rotations=group.rotations,
            rotate=self.symmetry.rotate,
            **options,
        )

    def _lifting_conv(self, filters: int, kernel_size: int, **options: Any) -> keras.Layer:
        return self._symmetric_conv(filters, kernel_size, **options)

    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        return _batch_norm(self, x, name, gamma_initializer)

    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        return keras.layers.Dropout(rate, name=name)(x) if rate else x

    def invariant(self, x: Any, *, name: str) -> Any:
        return keras.layers.GlobalAveragePooling2D(name=name)(x)


_KITS: dict[str, type[Kit]] = {
    "none": PlainKit,
    "regular": RegularKit,
    "rotational": RotationalKit,
}


def _batch_norm(kit: Kit, x: Any, name: str, gamma_initializer: Any) -> Any:
    return keras.layers.BatchNormalization(
        momentum=kit.normalization_momentum,
        epsilon=kit.normalization_epsilon,
        gamma_initializer=gamma_initializer,
        name=name,
    )(x)


def _side(x: Any, name: str) -> int:
    """The side of a square map of known size."""
    _, height, width, _ = x.shape
    if height is None or height != width:
        raise ValueError(
            f'"{name}": a symmetric network needs square images of a size that is known when it '
            f"is built; here the map is {height} x {width}."
        )
    return int(height)


def _left_over(x: Any, kernel_size: int, strides: int, padding: str, name: str) -> int:
    """Pixels that a strided window would leave out on one side."""
    if strides == 1:
        return 0
    pad_pixels = (kernel_size - 1) // 2 if padding == "same" else 0
    return (_side(x, name) + 2 * pad_pixels - kernel_size) % strides
