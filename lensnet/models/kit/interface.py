"""The interface of every kit. It imports no Keras: a kit may build layers, or count their cost."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, Self

from lensnet.errors import ConfigurationError
from lensnet.models.kit.token_interface import TokenKit
from lensnet.models.kit.windows import (
    KernelSize,
    Window,
    convolution_window,
    known_size,
    pooling_window,
)
from lensnet.symmetry import Symmetry

__all__ = ["Kit"]


class Kit(TokenKit):
    """Supplies the layers of one network. `lensnet.models.kit.make_kit` makes one.

    Every method takes a tensor and returns a tensor. Channel counts are those of the plain
    network at width 1; the kit applies the width and rounds to whole fields. Windows are placed
    as PyTorch places them, or with `padding="tensorflow"` as TensorFlow does
    (`lensnet.models.kit.windows`).

    Args:
        symmetry: the network's symmetry.
        width: multiplier of every channel count.
        kernel_initializer: of convolutions.
        depthwise_initializer: of depthwise convolutions, shown one filter of one channel.
        kernel_regularizer: of convolutions: `lift`, `conv`, `depthwise` and `full_map_conv`.
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

    def replace(self, **options: Any) -> Self:
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

    def with_weight_decay(self, factor: float) -> Self:
        """Returns a kit with L2 of `factor` on its convolutions, beside what they have already."""
        factor += self.kernel_regularizer["config"]["l2"] if self.kernel_regularizer else 0.0
        decay = {"class_name": "L2", "config": {"l2": factor}}
        return self.replace(kernel_regularizer=decay if factor else None)

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

    def _fields(self, channels: int) -> int:
        """How many fields so many channels of this network are."""
        return channels // self.symmetry.order

    # --- convolutions -------------------------------------------------------------------------

    def lift(
        self,
        image: Any,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        divisible_by: int = 1,
        use_bias: bool = False,
        name: str,
    ) -> Any:
        """The first convolution, from the image's channels to features. Options as `conv`."""
        window = self._window(image, kernel_size, strides, padding, name, may_prefilter=True)
        return self._lift(
            self._fit(image, window, name),
            self.channels(filters, divisible_by),
            window,
            use_bias=use_bias,
            name=name,
        )

    def conv(
        self,
        x: Any,
        filters: int,
        kernel_size: KernelSize,
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
            strides: of the output.
            padding: `"same"` pads `(kernel_size - 1) / 2` pixels on every side; `"valid"`;
                `"tensorflow"` as TensorFlow's `"same"`, one pixel more below and to the right
                where a stride asks for it. A symmetric kit pads these alike: the map has the same
                size, and the two agree where the stride fits. `"tiles"` leaves out no pixel.
            groups: as in ResNeXt; see `Symmetry.whole_groups`.
            divisible_by: see `channels`.
            like: a map to which the output will be added, where `filters` is the sum of parts
                that were rounded each: the output has as many channels as this map.
            use_bias: adds a bias a filter.
            name: of the layer.

        Raises:
            ValueError: the symmetry has no such convolution.
        """
        channels = self.channels(filters, divisible_by) if like is None else like.shape[-1]
        if groups > 1:
            groups = self.symmetry.whole_groups(groups, x.shape[-1], channels)
        window = self._window(x, kernel_size, strides, padding, name)
        if groups > 1 and self.symmetry.kind != "none" and isinstance(window.kernel_size, tuple):
            raise ValueError(
                f'"{name}": {self.symmetry} has no convolution in groups whose filters are not '
                "square."
            )
        return self._conv(
            self._fit(x, window, name),
            channels,
            window,
            groups=groups,
            use_bias=use_bias,
            name=name,
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
        """A convolution of each channel, or field, by itself. Options as `conv`.

        Raises:
            ConfigurationError: the symmetry has none.
        """
        if self.symmetry.rotate == "inputs":
            raise ConfigurationError(
                f'"{name}": {self.symmetry} has no depthwise convolution. Use '
                f'"{str(self.symmetry).removesuffix("_inputs")}", which turns the filters.'
            )
        window = self._window(x, kernel_size, strides, padding, name, may_prefilter=True)
        return self._depthwise(self._fit(x, window, name), window, use_bias=use_bias, name=name)

    def full_map_conv(self, x: Any, units: int, *, use_bias: bool = True, name: str) -> Any:
        """Flatten and a dense layer: a convolution whose filter is as large as the map.

        Returns:
            a map of one pixel, to which dense layers are pointwise convolutions.
        """
        height, width = self.map_size(x, name=name)
        window = Window(height if height == width else (height, width))
        channels = self.channels(units)
        return self._conv(x, channels, window, groups=1, use_bias=use_bias, name=name)

    def map_size(self, x: Any, *, name: str) -> tuple[int, int]:
        """Height and width of a map that `name` sees as a whole; an error where they are open."""
        return known_size(x.shape[1:3], name)

    def _window(
        self,
        x: Any,
        kernel_size: KernelSize,
        strides: int,
        padding: str,
        name: str,
        may_prefilter: bool = False,
    ) -> Window:
        return convolution_window(
            self.symmetry,
            x.shape[1:3],
            kernel_size,
            strides=strides,
            padding=padding,
            may_prefilter=may_prefilter,
            name=name,
        )

    def _fit(self, x: Any, window: Window, name: str) -> Any:
        """Does to a map what a window asks for."""
        if any(window.surround_pixels):
            x = self._zero_pad(x, window.surround_pixels, name=f"{name}.surround")
        if window.align_size > 1:
            align = Window(window.align_size, window.align_strides)
            x = self._avg_pool(x, align, name=f"{name}.align")
        if any(window.pad_pixels):
            x = self._zero_pad(x, window.pad_pixels, name=f"{name}.pad")
        return x

    @abstractmethod
    def _zero_pad(self, x: Any, pixels: tuple[int, int], *, name: str) -> Any:
        """Rows and columns of zeros on either side."""

    @abstractmethod
    def _lift(self, image: Any, channels: int, window: Window, *, use_bias: bool, name: str) -> Any:
        """The first convolution, on a map that the window fits, to channels of this network."""

    @abstractmethod
    def _conv(
        self, x: Any, channels: int, window: Window, *, groups: int, use_bias: bool, name: str
    ) -> Any:
        """A convolution, on a map that the window fits, to channels of this network."""

    @abstractmethod
    def _depthwise(self, x: Any, window: Window, *, use_bias: bool, name: str) -> Any:
        """A depthwise convolution, on a map that the window fits."""

    # --- normalisation and attention ----------------------------------------------------------

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
        """Squeeze-and-excitation by way of `reduced_channels` of the plain network."""

    @abstractmethod
    def channel_attention(self, x: Any, kernel_size: int, *, name: str) -> Any:
        """Efficient channel attention: a gate from `kernel_size` neighbouring channels' means."""

    # --- pooling ------------------------------------------------------------------------------

    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        """Maximum over windows; `padding="same"` as in `conv`, with nothing for a maximum."""
        window = self._pooling_window(x, size, strides, padding, name)
        return self._max_pool(self._fit(x, window, name), window, name=name)

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
        if padding == "same" and count_padding:
            pixels = (size - 1) // 2
            x, padding = self._zero_pad(x, (pixels, pixels), name=f"{name}.pad"), "valid"
        window = self._pooling_window(x, size, strides, padding, name)
        return self._avg_pool(self._fit(x, window, name), window, name=name)

    def _pooling_window(self, x: Any, size: int, strides: int, padding: str, name: str) -> Window:
        return pooling_window(
            self.symmetry, x.shape[1:3], size, strides=strides, padding=padding, name=name
        )

    @abstractmethod
    def _max_pool(self, x: Any, window: Window, *, name: str) -> Any:
        """The maximum, on a map that the window fits."""

    @abstractmethod
    def _avg_pool(self, x: Any, window: Window, *, name: str) -> Any:
        """The mean, on a map that the window fits."""

    @abstractmethod
    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        """Mean over windows of `strides` pixels, to ceil(size / strides) pixels a side."""

    @abstractmethod
    def adaptive_pool(self, x: Any, size: int | tuple[int, int], *, name: str) -> Any:
        """Resizes a map to `size` pixels, or (height, width), by means, as PyTorch does."""

    @abstractmethod
    def global_pool(self, x: Any, *, name: str) -> Any:
        """The mean over the map, as a map of one pixel: the symmetry still acts on its channels."""

    @abstractmethod
    def invariant(self, x: Any, *, name: str) -> Any:
        """Pools a map to features, shape (batch, features), that the symmetry does not change."""

    @abstractmethod
    def dropout(self, x: Any, rate: float, *, name: str) -> Any:
        """Dropout of features, a pixel at a time."""

    @abstractmethod
    def drop_path(self, x: Any, rate: float, *, name: str) -> Any:
        """Stochastic depth: drops a branch for an example as a whole."""

    # --- what treats pixels and channels alike ------------------------------------------------

    @abstractmethod
    def activation(self, x: Any, activation: str, *, name: str) -> Any:
        """A pointwise non-linearity, which every feature here is compatible with."""

    @abstractmethod
    def rescale(self, x: Any, factor: float, *, name: str) -> Any:
        """A map times a number that is not learnt."""

    @abstractmethod
    def add(self, tensors: list[Any], *, name: str) -> Any:
        """The sum of maps of one kind."""

    @abstractmethod
    def concatenate(self, tensors: list[Any], *, name: str) -> Any:
        """Maps beside each other: fields stay whole."""

    def split(self, x: Any, parts: int, *, name: str) -> list[Any]:
        """Cuts the channels into equal parts.

        Raises:
            ValueError: fields would be cut; ask for the channels with `divisible_by`.
        """
        if x.shape[-1] % (self.symmetry.order * parts):
            raise ValueError(
                f'"{name}": {x.shape[-1]} channels cannot be split into {parts} parts of whole '
                f"fields of {self.symmetry}."
            )
        return self._split(x, parts)

    @abstractmethod
    def _split(self, x: Any, parts: int) -> list[Any]:
        """The channels in equal parts."""

    @abstractmethod
    def stage(self, x: Any, name: str) -> Any:
        """Marks the output of a stage, by which features are taken and stages are trained.

        The mark is a layer that does nothing, `stage.<name>`, so that a saved model has it too.
        """
