"""The interface of every kit, and how all of them make a network's convolutions."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import keras

from lensnet.models.kit.shared import SharedLayers
from lensnet.symmetry import Symmetry

__all__ = ["Kit"]


class Kit(SharedLayers, ABC):
    """Supplies the layers of one network. Make one with `Kit.create`.

    Every method takes a tensor and returns a tensor. Channel counts are those of the plain
    network at width 1; the kit applies the width and rounds to whole fields. Windows are placed
    as PyTorch places them, or with `padding="tensorflow"` as TensorFlow does; a window larger
    than its map sees zeros around the map, so that no image is too small.

    Args:
        symmetry: the network's symmetry.
        width: multiplier of every channel count.
        kernel_initializer: of convolutions.
        depthwise_initializer: of depthwise convolutions, shown one filter of one channel.
        kernel_regularizer: of convolutions: `lift`, `conv`, `depthwise` and `cover`.
        normalization_momentum, normalization_epsilon: of batch normalisation.
    """

    def __init__(
        self,
        symmetry: Symmetry,
        *,
        width: float = 1.0,
        kernel_initializer: Any = "he_normal",
        depthwise_initializer: Any = "he_normal",
        kernel_regularizer: Any = None,
        normalization_momentum: float = 0.9,
        normalization_epsilon: float = 1e-5,
    ):
        self.symmetry = symmetry
        self.width = width
        self.kernel_initializer = kernel_initializer
        self.depthwise_initializer = depthwise_initializer
        self.kernel_regularizer = kernel_regularizer
        self.normalization_momentum = normalization_momentum
        self.normalization_epsilon = normalization_epsilon

    @staticmethod
    def create(symmetry: str | Symmetry, **options: Any) -> Kit:
        """Makes the kit of a symmetry.

        Raises:
            ConfigurationError: no such symmetry.
        """
        from lensnet.models.kit.plain import PlainKit
        from lensnet.models.kit.regular import RegularKit
        from lensnet.models.kit.rotational import RotationalKit

        kits: dict[str, type[Kit]] = {
            "none": PlainKit,
            "regular": RegularKit,
            "rotational": RotationalKit,
        }
        parsed = Symmetry.parse(symmetry)
        return kits[parsed.kind](parsed, **options)

    def replace(self, **options: Any) -> Kit:
        """Returns a kit with other options, such as `normalization_epsilon=1e-3`.

        Raises:
            TypeError: no such option.
        """
        kit = copy.copy(self)
        for name, value in options.items():
            if not hasattr(kit, name):
                raise TypeError(f'A kit has no option "{name}".')
            setattr(kit, name, value)
        return kit

    def with_weight_decay(self, factor: float) -> Kit:
        """Returns a kit whose convolutions add `factor` times their squared weights to the loss."""
        return self.replace(kernel_regularizer=keras.regularizers.L2(factor) if factor else None)

    # --- channels -----------------------------------------------------------------------------

    def channels(self, channels: int, divisible_by: int = 1) -> int:
        """The channels that the plain network's `channels` become.

        Args:
            channels: of the plain network at width 1.
            divisible_by: number of equal parts that the channels will be cut into.

        Returns:
            a number of whole fields, the nearest that `divisible_by` divides, at least one part.
        """
        return self.symmetry.whole_fields(channels * self.width, divisible_by)

    # --- convolutions -------------------------------------------------------------------------

    def lift(
        self,
        image: Any,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> Any:
        """The first convolution, from the image's channels to features. Options as `conv`."""
        return self._convolution(
            self._lifting_layer,
            image,
            kernel_size,
            strides,
            padding,
            name,
            means_in_filter=True,
            filters=self.channels(filters),
            use_bias=use_bias,
        )

    def conv(
        self,
        x: Any,
        filters: int,
        kernel_size: int | tuple[int, int],
        *,
        strides: int = 1,
        padding: str = "same",
        groups: int = 1,
        divisible_by: int = 1,
        like: Any = None,
        use_bias: bool = False,
        name: str,
    ) -> Any:
        """A convolution to `filters` channels of the plain network.

        Args:
            x: features.
            filters: channels of the plain network.
            kernel_size: side of the filters, or (height, width).
            strides: step of the output.
            padding: `"same"` pads `(kernel_size - 1) / 2` pixels on every side; `"valid"`;
                `"tensorflow"` as TensorFlow's `"same"`, one pixel more below and to the right
                where a stride asks for it. A symmetric kit pads these alike: the map has the same
                size, and the two agree where the step fits.
            groups: as in ResNeXt; see `Symmetry.whole_groups`.
            divisible_by: see `channels`.
            like: a map to which the output will be added, where `filters` is the sum of parts
                that were rounded each: the output has as many channels as this map.
            use_bias: adds a bias a filter.
            name: of the layer.
        """
        channels = self.channels(filters, divisible_by) if like is None else like.shape[-1]
        if groups > 1:
            groups = self.symmetry.whole_groups(groups, x.shape[-1], channels)
        return self._convolution(
            self._conv_layer,
            x,
            kernel_size,
            strides,
            padding,
            name,
            filters=channels,
            groups=groups,
            use_bias=use_bias,
        )

    def depthwise(
        self,
        x: Any,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> Any:
        """A convolution of each channel, or field, by itself. Options as `conv`."""
        return self._convolution(
            self._depthwise_layer,
            x,
            kernel_size,
            strides,
            padding,
            name,
            means_in_filter=True,
            use_bias=use_bias,
        )

    def _convolution(
        self,
        make: Callable[..., keras.Layer],
        x: Any,
        kernel_size: int | tuple[int, int],
        strides: int,
        padding: str,
        name: str,
        means_in_filter: bool = False,
        **options: Any,
    ) -> Any:
        if padding == "valid":
            x = self._pad_to_window(x, kernel_size, name)
        x, window = self._fit(x, kernel_size, strides, padding, name, means_in_filter)
        return make(name=name, **window, **options)(x)

    def _pad_to_window(self, x: Any, window: int | tuple[int, int], name: str) -> Any:
        """Zeros around a map that is smaller than a window, the same on both sides."""
        sides = (window, window) if isinstance(window, int) else window
        missing = [
            max(0, side - size) if size is not None else 0
            for side, size in zip(sides, x.shape[1:3], strict=True)
        ]
        if not any(missing):
            return x
        pads = tuple((pixels + 1) // 2 for pixels in missing)
        return keras.layers.ZeroPadding2D(pads, name=f"{name}.surround")(x)

    @abstractmethod
    def _fit(
        self,
        x: Any,
        kernel_size: Any,
        strides: int,
        padding: str,
        name: str,
        means_in_filter: bool,
    ) -> tuple[Any, dict[str, Any]]:
        """Prepares a map for a window, and the window for the map.

        Args:
            x, kernel_size, strides, padding, name: as of `conv`.
            means_in_filter: whether the filter is small beside the map, so that where it is to see
                means of pixels a larger filter costs less than a map of means.

        Returns:
            the map, and the layer's `kernel_size`, `strides`, `padding` and what else is needed.
        """

    @abstractmethod
    def _lifting_layer(self, **options: Any) -> keras.Layer:
        """The layer of `lift`; `filters` are channels of this network."""

    @abstractmethod
    def _conv_layer(self, *, kernel_size: Any, groups: int = 1, **options: Any) -> keras.Layer:
        """The layer of `conv`; `filters` are channels of this network."""

    @abstractmethod
    def _depthwise_layer(self, **options: Any) -> keras.Layer:
        """The layer of `depthwise`."""

    def cover(self, x: Any, units: int, *, use_bias: bool = True, name: str) -> Any:
        """Flatten and a dense layer: a convolution whose filter covers the whole map.

        Returns a map of one pixel, to which dense layers are pointwise convolutions.
        """
        return self._conv_layer(
            kernel_size=x.shape[1:3],
            strides=1,
            padding="valid",
            filters=self.channels(units),
            use_bias=use_bias,
            name=name,
        )(x)

    # --- normalisation and gates --------------------------------------------------------------

    @abstractmethod
    def norm(self, x: Any, *, name: str, gamma_initializer: Any = "ones") -> Any:
        """Batch normalisation."""

    @abstractmethod
    def layer_norm(self, x: Any, *, epsilon: float = 1e-6, name: str) -> Any:
        """Layer normalisation over the channels of each pixel."""

    @abstractmethod
    def scale(self, x: Any, *, initial: float, name: str) -> Any:
        """Multiplies each channel by a number that is learnt (layer scale)."""

    @abstractmethod
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
        """Squeeze-and-excitation by way of `reduced_channels` of the plain network."""

    @abstractmethod
    def channel_gate(self, x: Any, kernel_size: int, *, name: str) -> Any:
        """Efficient channel attention: a gate from `kernel_size` neighbouring channels' means."""

    # --- pooling ------------------------------------------------------------------------------

    @abstractmethod
    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        """Maximum over windows; `padding="same"` as in `conv`, with nothing for a maximum."""

    @abstractmethod
    def avg_pool(
        self,
        x: Any,
        size: int,
        *,
        strides: int,
        padding: str = "valid",
        count_padding: bool = False,
        name: str,
    ) -> Any:
        """Mean over windows; `padding="same"` at stride 1 alone.

        `count_padding` says whether padded zeros count, as they do in PyTorch by default.
        """

    @abstractmethod
    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        """Mean over windows of `strides` pixels, to ceil(size / strides) pixels a side."""

    @abstractmethod
    def invariant(self, x: Any, *, name: str) -> Any:
        """Pools a map to features, shape (batch, features), that the symmetry does not change."""

    # --- what drops ---------------------------------------------------------------------------

    @abstractmethod
    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        """Dropout of features, a pixel at a time."""

    @abstractmethod
    def drop_path(self, x: Any, rate: float, *, name: str) -> Any:
        """Stochastic depth: drops a branch for an example as a whole."""
