"""Parameters and multiply-adds of a network, counted without building it.

A family's builder talks to a kit alone, so a kit that hands out no layers but keeps the books
counts any network of the zoo, in any symmetry, in milliseconds and without Keras. It is asked what
every kit is asked, and its windows lie where theirs lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from lensnet import registry
from lensnet.circular_harmonics import rings
from lensnet.config.backbone import BackboneSpec
from lensnet.models.kit.interface import Kit
from lensnet.models.kit.windows import KernelSize, Window
from lensnet.symmetry import Symmetry

__all__ = ["CountingKit", "Counts", "FeatureMap", "count"]


@dataclass(frozen=True)
class Counts:
    """What a network is made of and what it costs.

    Args:
        parameters: trainable ones, the output layer included.
        multiply_adds: for one image, as the network is folded (`lensnet.layers.fold`): of
            convolutions, where a symmetric one counts as the plain one that it becomes, with as
            large a filter; in a maximum over n rotated filters, n times; of depthwise convolutions,
            and of dense layers, those of squeeze-and-excitation and channel attention too; and of
            attention's two products of tokens with tokens. Not counted are normalisations, layer
            scale, activations, sums, means and maxima over pixels, the blur of `downsample`, and
            zeros between groups.
    """

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class FeatureMap:
    """Stands for a tensor: only its shape is known.

    Args:
        height, width: in pixels.
        channels: of this network.
    """

    height: int
    width: int
    channels: int

    @property
    def shape(self) -> tuple[None, int, int, int]:
        """As of a tensor with an unknown batch."""
        return (None, self.height, self.width, self.channels)

    @property
    def pixels(self) -> int:
        """Of one image."""
        return self.height * self.width


def count(
    spec: BackboneSpec | str,
    *,
    input_shape: tuple[int, int, int],
    num_outputs: int,
    symmetry: str | Symmetry = "none",
    width: float = 1.0,
    options: Mapping[str, Any] | None = None,
) -> Counts:
    """Counts a network without dense layers in its head.

    Args:
        spec: of the zoo, or a name.
        input_shape: (height, width, channels).
        num_outputs: units of the output layer.
        symmetry, width: as of `lensnet.models.create`, the width as it is.
        options: of the family.

    Raises:
        ConfigurationError: an unknown name or symmetry, or a symmetry that the network cannot have.
        ValueError: an image that is not square, with a symmetry.

    Example:

    >>> count("resnet50", input_shape=(224, 224, 3), num_outputs=1000).parameters
    25557032
    """
    if isinstance(spec, str):
        spec = registry.backbones.get(spec)
    kit = CountingKit(Symmetry.parse(symmetry), width=width)
    build = registry.load_object(spec.build)
    features = build(kit, FeatureMap(*input_shape), **{**spec.variant, **(options or {})})
    kit.dense(kit.invariant(features, name="global_pool"), num_outputs)
    return Counts(kit.parameters, kit.multiply_adds)


@final
class CountingKit(Kit):
    """A kit on shapes, which adds up what layers would cost. Its arguments are those of `Kit`."""

    def __init__(self, symmetry: Symmetry, **options: Any):
        super().__init__(symmetry, **options)
        # Kits with other options (`replace`) keep the same books.
        self._totals = {"parameters": 0, "multiply_adds": 0}

    @property
    def parameters(self) -> int:
        """Trainable parameters so far."""
        return self._totals["parameters"]

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds so far."""
        return self._totals["multiply_adds"]

    def _count(self, parameters: int, multiply_adds: int = 0) -> None:
        self._totals["parameters"] += parameters
        self._totals["multiply_adds"] += multiply_adds

    # --- convolutions -------------------------------------------------------------------------

    def _zero_pad(self, x: FeatureMap, pixels: tuple[int, int], *, name: str) -> FeatureMap:
        return FeatureMap(x.height + 2 * pixels[0], x.width + 2 * pixels[1], x.channels)

    def _lift(
        self, image: FeatureMap, channels: int, window: Window, *, use_bias: bool, name: str
    ) -> FeatureMap:
        return self._conv(image, channels, window, groups=1, use_bias=use_bias, name=name)

    def _conv(
        self,
        x: FeatureMap,
        channels: int,
        window: Window,
        *,
        groups: int,
        use_bias: bool,
        name: str,
    ) -> FeatureMap:
        out = _output(x, window, channels)
        filters, channels_in = self._fields(channels), x.channels // groups
        self._count(
            (self._taps(window.kernel_size) * channels_in + use_bias) * filters,
            out.pixels * _pixels(window) * channels_in * channels * self._repeats(window),
        )
        return out

    def _depthwise(self, x: FeatureMap, window: Window, *, use_bias: bool, name: str) -> FeatureMap:
        out = _output(x, window, x.channels)
        self._count(
            (self._taps(window.kernel_size) + use_bias) * self._fields(x.channels),
            out.pixels * _pixels(window) * x.channels * self._repeats(window),
        )
        return out

    def _taps(self, kernel_size: KernelSize) -> int:
        """The weights of a filter for each channel that it sees."""
        if isinstance(kernel_size, tuple):
            return kernel_size[0] * kernel_size[1]
        group = self.symmetry.group
        if self.symmetry.kind != "regular" or kernel_size == 1 or (group and group.exact_on_grid):
            return kernel_size**2
        return _harmonics(kernel_size)

    def _repeats(self, window: Window) -> int:
        """How often a plain convolution is computed."""
        if self.symmetry.kind != "rotational" or self.symmetry.group is None:
            return 1
        is_pointwise = window.kernel_size == 1 and self.symmetry.rotate == "filters"
        return 1 if is_pointwise else self.symmetry.group.rotations

    def dense(self, inputs: FeatureMap, outputs: int) -> None:
        """A stock dense layer of the head."""
        self._count((inputs.channels + 1) * outputs, inputs.channels * outputs)

    # --- normalisation and attention ----------------------------------------------------------

    def norm(self, x: FeatureMap, **options: Any) -> FeatureMap:
        self._count(2 * self._fields(x.channels))
        return x

    def layer_norm(self, x: FeatureMap, **options: Any) -> FeatureMap:
        self._count(2 * self._fields(x.channels))
        return x

    def scale(self, x: FeatureMap, **options: Any) -> FeatureMap:
        self._count(self._fields(x.channels))
        return x

    def squeeze_excite(self, x: FeatureMap, reduced_channels: int, **options: Any) -> FeatureMap:
        reduced, order = self.channels(reduced_channels), self.symmetry.order
        products = 2 * x.channels * reduced
        self._count(products // order + (x.channels + reduced) // order, products)
        return x

    def channel_attention(self, x: FeatureMap, kernel_size: int, *, name: str) -> FeatureMap:
        order = self.symmetry.order
        self._count(kernel_size * order, kernel_size * order * x.channels)
        return x

    # --- pooling ------------------------------------------------------------------------------

    def _max_pool(self, x: FeatureMap, window: Window, *, name: str) -> FeatureMap:
        return _output(x, window, x.channels)

    _avg_pool = _max_pool

    def downsample(self, x: FeatureMap, strides: int, *, name: str) -> FeatureMap:
        return FeatureMap(-(-x.height // strides), -(-x.width // strides), x.channels)

    def adaptive_pool(self, x: FeatureMap, size: int | tuple[int, int], *, name: str) -> FeatureMap:
        height, width = (size, size) if isinstance(size, int) else size
        return FeatureMap(height, width, x.channels)

    def global_pool(self, x: FeatureMap, *, name: str) -> FeatureMap:
        return FeatureMap(1, 1, x.channels)

    def invariant(self, x: FeatureMap, *, name: str) -> FeatureMap:
        return FeatureMap(1, 1, self._fields(x.channels))

    # --- tokens -------------------------------------------------------------------------------

    def tokens(self, x: FeatureMap, *, name: str) -> FeatureMap:
        return FeatureMap(1, x.pixels, x.channels)

    def token_map(self, x: FeatureMap, size: tuple[int, int], *, name: str) -> FeatureMap:
        return FeatureMap(*size, x.channels)

    def crop_tokens(self, x: FeatureMap, first: int, count: int, *, name: str) -> FeatureMap:
        return FeatureMap(1, count, x.channels)

    def join_tokens(self, rows: list[FeatureMap], *, name: str) -> FeatureMap:
        return FeatureMap(1, sum(row.width for row in rows), rows[0].channels)

    def learned_tokens(self, x: FeatureMap, count: int, *, name: str) -> FeatureMap:
        self._count(count * self._fields(x.channels))
        return FeatureMap(1, count, x.channels)

    def add_positions(
        self, x: FeatureMap, size: tuple[int, int], *, prefix_tokens: int = 0, name: str
    ) -> FeatureMap:
        self._count((prefix_tokens + self._positions(size)) * self._fields(x.channels))
        return x

    def position_bias(
        self,
        x: FeatureMap,
        size: tuple[int, int],
        heads: int,
        *,
        prefix_tokens: int = 0,
        name: str,
    ) -> None:
        displacements = self._positions((2 * size[0] - 1, 2 * size[1] - 1))
        self._count((displacements + (3 if prefix_tokens else 0)) * heads)

    def _positions(self, size: tuple[int, int]) -> int:
        """The numbers by which a free function on a grid is given."""
        group = self.symmetry.group
        if group is None or group.exact_on_grid or self.symmetry.rotate == "inputs":
            return size[0] * size[1]
        return _harmonics(size[0])

    def pointwise(self, x: FeatureMap, channels: int, **options: Any) -> FeatureMap:
        self._count((x.channels + 1) * self._fields(channels), x.pixels * x.channels * channels)
        return FeatureMap(x.height, x.width, channels)

    def attention(self, x: FeatureMap, heads: int, *, bias: Any = None, name: str) -> FeatureMap:
        channels = x.channels // 3
        self._count(0, 2 * x.pixels**2 * channels)
        return FeatureMap(1, x.pixels, channels)

    # --- what changes no shape, and no count --------------------------------------------------

    def dropout(self, x: FeatureMap, rate: float, *, name: str) -> FeatureMap:
        return x

    drop_path = dropout

    def activation(self, x: FeatureMap, activation: str, *, name: str) -> FeatureMap:
        return x

    def rescale(self, x: FeatureMap, factor: float, *, name: str) -> FeatureMap:
        return x

    def stage(self, x: FeatureMap, name: str) -> FeatureMap:
        return x

    def add(self, tensors: list[FeatureMap], *, name: str) -> FeatureMap:
        if len({x.shape for x in tensors}) > 1:
            raise ValueError(f'"{name}": maps of different shapes cannot be added: {tensors}.')
        return tensors[0]

    def concatenate(self, tensors: list[FeatureMap], *, name: str) -> FeatureMap:
        first = tensors[0]
        return FeatureMap(first.height, first.width, sum(x.channels for x in tensors))

    def _split(self, x: FeatureMap, parts: int) -> list[FeatureMap]:
        return [FeatureMap(x.height, x.width, x.channels // parts)] * parts


def _output(x: FeatureMap, window: Window, channels: int) -> FeatureMap:
    return FeatureMap(*window.output_size(x.height, x.width), channels)


def _pixels(window: Window) -> int:
    """The multiply-adds of one plain filter at one place, for each channel that it sees."""
    height, width = window.extent
    return height * width


def _harmonics(kernel_size: int) -> int:
    """The circular harmonics in a filter."""
    return sum(1 + 2 * ring.band_limit for ring in rings(kernel_size))
