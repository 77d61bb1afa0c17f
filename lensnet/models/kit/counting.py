"""Parameters and multiply-adds of a network, counted without building it.

A family's builder talks to a kit alone, so a kit that hands out no layers but keeps the books
counts any network of the zoo, in any symmetry, in milliseconds and without Keras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensnet import registry
from lensnet.circular_harmonics import rings
from lensnet.config.backbone import BackboneSpec
from lensnet.errors import ConfigurationError
from lensnet.symmetry import Symmetry

__all__ = ["CountingKit", "Counts", "FeatureMap", "count"]


@dataclass(frozen=True)
class Counts:
    """What a network is made of and what it costs.

    Args:
        parameters: trainable ones, the output layer included.
        multiply_adds: of its convolutions and dense layers for one image; normalisations,
            activations, pooling and the building of kernels are not counted.
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

    Example:

    >>> count("resnet50", input_shape=(224, 224, 3), num_outputs=1000).parameters
    25557032
    """
    if isinstance(spec, str):
        spec = registry.backbones.get(spec)
    kit = CountingKit(Symmetry.parse(symmetry), width)
    build = registry.load_object(spec.build)
    features = build(kit, FeatureMap(*input_shape), **spec.variant, **(options or {}))
    kit.dense(features.channels // kit.symmetry.order, num_outputs)
    return Counts(kit.parameters, kit.multiply_adds)


class CountingKit:
    """The kit's interface (`lensnet.models.kit.Kit`) on shapes, adding up what layers would cost.

    Args:
        symmetry: the network's symmetry.
        width: multiplier of every channel count.
    """

    def __init__(self, symmetry: Symmetry, width: float = 1.0):
        self.symmetry = symmetry
        self.width = width
        self._totals = {"parameters": 0, "multiply_adds": 0}

    @property
    def parameters(self) -> int:
        """Trainable parameters so far."""
        return self._totals["parameters"]

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds so far."""
        return self._totals["multiply_adds"]

    def _add(self, parameters: int, multiply_adds: int = 0) -> None:
        self._totals["parameters"] += parameters
        self._totals["multiply_adds"] += multiply_adds

    def replace(self, **options: Any) -> CountingKit:
        """Options change no count."""
        return self

    def with_weight_decay(self, factor: float) -> CountingKit:
        """Changes no count."""
        return self

    def channels(self, channels: int, divisible_by: int = 1) -> int:
        """As of the kit."""
        return self.symmetry.whole_fields(channels * self.width, divisible_by)

    # --- convolutions -------------------------------------------------------------------------

    def lift(
        self, image: Any, filters: int, kernel_size: Any, *, use_bias: bool = False, **options: Any
    ) -> FeatureMap:
        """As of the kit, and so on."""
        return self._convolution(image, self.channels(filters), kernel_size, use_bias, **options)

    def conv(
        self,
        x: FeatureMap,
        filters: int,
        kernel_size: Any,
        *,
        groups: int = 1,
        divisible_by: int = 1,
        like: FeatureMap | None = None,
        use_bias: bool = False,
        **options: Any,
    ) -> FeatureMap:
        channels = self.channels(filters, divisible_by) if like is None else like.channels
        if groups > 1:
            groups = self.symmetry.whole_groups(groups, x.channels, channels)
        return self._convolution(x, channels, kernel_size, use_bias, groups=groups, **options)

    def _convolution(
        self,
        x: FeatureMap,
        channels: int,
        kernel_size: Any,
        use_bias: bool,
        *,
        groups: int = 1,
        strides: int = 1,
        padding: str = "same",
        name: str,
    ) -> FeatureMap:
        out = _window_output(x, kernel_size, strides, padding, channels)
        taps, pixels = self._filter(kernel_size)
        order = self.symmetry.order
        # A filter gives |G| channels; it has a weight for each channel that it sees.
        weights = taps * (x.channels // groups) * channels // order
        self._add(
            weights + use_bias * channels // order,
            out.pixels * pixels * (x.channels // groups) * channels,
        )
        return out

    def depthwise(
        self,
        x: FeatureMap,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        use_bias: bool = False,
        name: str,
    ) -> FeatureMap:
        if self.symmetry.rotate == "inputs":
            raise ConfigurationError(f'"{name}": {self.symmetry} has no depthwise convolution.')
        out = _window_output(x, kernel_size, strides, padding, x.channels)
        taps, pixels = self._filter(kernel_size)
        self._add((taps + use_bias) * self._fields(x), out.pixels * pixels * x.channels)
        return out

    def cover(self, x: FeatureMap, units: int, *, use_bias: bool = True, name: str) -> FeatureMap:
        taps, channels, order = x.pixels, self.channels(units), self.symmetry.order
        if x.height > 1:
            taps, _ = self._own_taps(x.height)
        rotations = self._rotations(x.height)
        self._add(
            taps * x.channels * channels // order + use_bias * channels // order,
            x.pixels * x.channels * channels * rotations,
        )
        return FeatureMap(1, 1, channels)

    def dense(self, inputs: int, outputs: int) -> None:
        """A stock dense layer of the head."""
        self._add((inputs + 1) * outputs, inputs * outputs)

    def _fields(self, x: FeatureMap) -> int:
        return x.channels // self.symmetry.order

    def _rotations(self, kernel_size: Any) -> int:
        """How often a plain convolution is computed."""
        pointwise = kernel_size == 1 and self.symmetry.rotate == "filters"
        if self.symmetry.kind != "rotational" or self.symmetry.group is None or pointwise:
            return 1
        return self.symmetry.group.rotations

    def _filter(self, kernel_size: Any) -> tuple[int, int]:
        """A filter's weights for each channel it sees, and the multiply-adds it takes a pixel."""
        window = self._window(kernel_size)
        if isinstance(window, tuple):
            taps = window[0] * window[1]
            return taps, taps * self._rotations(window)
        taps, pixels = self._own_taps(window)
        return taps, pixels * self._rotations(window)

    def _window(self, kernel_size: Any) -> Any:
        """As the kits choose it."""
        group = self.symmetry.group
        turns_on_grid = group is None or group.exact_on_grid
        if self.symmetry.rotate == "inputs":
            turns_on_grid = isinstance(kernel_size, int)
        if turns_on_grid or kernel_size == 1:
            return kernel_size
        if not isinstance(kernel_size, int):
            return 5
        return 5 if self.symmetry.kind == "regular" and kernel_size == 3 else kernel_size

    def _own_taps(self, side: int) -> tuple[int, int]:
        """The weights of a square filter, and its pixels."""
        group = self.symmetry.group
        if self.symmetry.kind != "regular" or side == 1 or (group and group.exact_on_grid):
            return side**2, side**2
        return sum(1 + 2 * ring.band_limit for ring in rings(side)), side**2

    # --- normalisation and gates --------------------------------------------------------------

    def norm(self, x: FeatureMap, **options: Any) -> FeatureMap:
        self._add(2 * self._fields(x))
        return x

    def layer_norm(self, x: FeatureMap, **options: Any) -> FeatureMap:
        self._add(2 * self._fields(x))
        return x

    def scale(self, x: FeatureMap, **options: Any) -> FeatureMap:
        self._add(self._fields(x))
        return x

    def gate(self, x: FeatureMap, reduced_channels: int, **options: Any) -> FeatureMap:
        reduced, order = self.channels(reduced_channels), self.symmetry.order
        products = 2 * x.channels * reduced
        self._add(products // order + (x.channels + reduced) // order, products)
        return x

    def channel_gate(self, x: FeatureMap, kernel_size: int, *, name: str) -> FeatureMap:
        order = self.symmetry.order
        self._add(kernel_size * order, kernel_size * order * x.channels)
        return x

    # --- pooling ------------------------------------------------------------------------------

    def max_pool(
        self, x: FeatureMap, size: int, *, strides: int, padding: str = "valid", **options: Any
    ) -> FeatureMap:
        return _window_output(x, size, strides, padding, x.channels)

    avg_pool = max_pool

    def downsample(self, x: FeatureMap, strides: int, *, name: str) -> FeatureMap:
        return FeatureMap(-(-x.height // strides), -(-x.width // strides), x.channels)

    def adaptive_pool(self, x: FeatureMap, size: int | tuple[int, int], *, name: str) -> FeatureMap:
        height, width = (size, size) if isinstance(size, int) else size
        return FeatureMap(height, width, x.channels)

    def global_pool(self, x: FeatureMap, *, name: str) -> FeatureMap:
        return FeatureMap(1, 1, x.channels)

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

    def split(self, x: FeatureMap, parts: int, *, name: str) -> list[FeatureMap]:
        return [FeatureMap(x.height, x.width, x.channels // parts)] * parts


def _window_output(
    x: FeatureMap, kernel_size: Any, strides: int, padding: str, channels: int
) -> FeatureMap:
    """The map that a window gives; the same in every symmetry."""
    windows = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)

    def steps(side: int, window: int) -> int:
        if padding == "tensorflow":
            return -(-side // strides)
        if padding == "same":
            return (side + 2 * ((window - 1) // 2) - window) // strides + 1
        missing = max(0, window - side)
        return (side + 2 * ((missing + 1) // 2) - window) // strides + 1

    return FeatureMap(steps(x.height, windows[0]), steps(x.width, windows[1]), channels)
