"""Where windows lie on a map: padding, parity, and the sizes that a symmetry asks for.

Written once for every kit, so that what is built and what is counted are the same. Nothing here
needs Keras: a map is its height and width.

**Without a symmetry** a convolution pads as PyTorch does, `(kernel_size - 1) / 2` pixels on every
side, or as TensorFlow does where that is asked for.

**With one** a strided window is symmetric only where it fits the map: with padding p there is a
stride remainder of `(size + 2 p - kernel_size) % strides` pixels, and they would all be left out on
one side. Convolutions see means over squares of that many pixels and one (2x2 on an even map, at
stride 2). Of few channels the filter takes the means itself (the box prefilter, which makes it as
much larger); else the map is averaged before. Pooling takes a window that much larger. Maps keep
the size that they have in the plain network. The size must be known when the network is built.

A window larger than its map sees zeros around the map, the same on both sides, so that no image is
too small.

**Patches** (`padding="tiles"`) leave out no pixel: zeros on both sides fill the map up to whole
windows. Where their number is odd one row more is put there: without a symmetry that row is left
out again, with one the filter sees means over 2x2 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from lensnet.errors import ConfigurationError
from lensnet.symmetry import Symmetry

__all__ = [
    "HARMONIC_SIZE",
    "KernelSize",
    "MapSize",
    "Window",
    "convolution_window",
    "filter_size",
    "known_size",
    "pooling_window",
]

KernelSize = int | tuple[int, int]
"""The side of a square filter, or (height, width)."""

MapSize = tuple[int | None, int | None]
"""Height and width of a map, in pixels, where they are known."""

HARMONIC_SIZE = 5
"""Pixels along a filter of circular harmonics that stands for 3x3 taps."""


@dataclass(frozen=True)
class Window:
    """How a window steps over a map, and what is done to the map before, in this order.

    Args:
        kernel_size: of the window, which the box prefilter enlarges.
        strides: steps of the window.
        padding: `"same"` or `"valid"`, as a layer of that kind takes it.
        surround_pixels: rows and columns of zeros on either side of a map that is smaller than the
            window.
        align_size: side of the squares over which the map is averaged; 1 for none.
        align_strides: steps of these squares.
        pad_pixels: rows and columns of zeros on either side.
        prefilter_size: side of the square of pixels whose mean each tap sees; 1 for none.
    """

    kernel_size: KernelSize
    strides: int = 1
    padding: str = "valid"
    surround_pixels: tuple[int, int] = (0, 0)
    align_size: int = 1
    align_strides: int = 1
    pad_pixels: tuple[int, int] = (0, 0)
    prefilter_size: int = 1

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of the pixels that one output pixel sees."""
        height, width = _sides(self.kernel_size)
        return height + self.prefilter_size - 1, width + self.prefilter_size - 1

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of the map that the window gives, of the map that it steps over."""
        if self.padding == "same":
            return -(-height // self.strides), -(-width // self.strides)
        rows, columns = self.extent
        return (height - rows) // self.strides + 1, (width - columns) // self.strides + 1


def convolution_window(
    symmetry: Symmetry,
    map_size: MapSize,
    kernel_size: KernelSize,
    *,
    strides: int,
    padding: str,
    may_prefilter: bool,
    name: str,
) -> Window:
    """The window of a convolution.

    Args:
        symmetry: the network's.
        map_size: of the input.
        kernel_size: of the plain network's filters.
        strides: of the plain network.
        padding: `"same"`, `"valid"`, `"tensorflow"` or `"tiles"`, see `Kit.conv`.
        may_prefilter: whether the filter is small beside the map, so that where it is to see means
            of pixels a larger filter costs less than a map of means.
        name: of the layer, for messages.

    Raises:
        ValueError: in a symmetric network, a stride on a map that is not square or of unknown size;
            or a filter that is not square with a stride or without padding.
    """
    tiles = (0, 0)
    if padding == "tiles":
        tiles, padding = _to_whole_windows(map_size, kernel_size, strides), "valid"
        map_size = _padded(map_size, tiles)
        if symmetry.kind == "none":
            return Window(kernel_size, strides, "valid", pad_pixels=tiles)
    surround = _surround(map_size, kernel_size) if padding == "valid" else (0, 0)
    if symmetry.kind == "none":
        if padding == "same" and strides > 1:
            # Keras would pad one side more than the other.
            pads = _half_pads(kernel_size)
            return Window(kernel_size, strides, "valid", pad_pixels=pads)
        keras_padding = "valid" if padding == "valid" else "same"
        return Window(kernel_size, strides, keras_padding, surround_pixels=surround)

    padding = "valid" if padding == "valid" else "same"
    if padding == "valid" and not isinstance(kernel_size, int):
        raise ValueError(
            f'"{name}": {symmetry} has no convolution of {kernel_size} taps with padding "valid", '
            "which leaves a map that is not square."
        )
    size = _padded(map_size, surround)
    remainder = _stride_remainder(symmetry, size, kernel_size, strides, padding, name)
    align_size = align_strides = prefilter_size = 1
    if remainder and may_prefilter and kernel_size != 1:
        prefilter_size = remainder + 1
    elif remainder:
        align_size = remainder + 1
        if kernel_size == 1 and align_size == strides:
            # A pointwise convolution sees only the means that it keeps.
            align_strides = strides
    window = filter_size(symmetry, kernel_size)
    pads = tiles
    if padding == "valid" and window != kernel_size:
        more = (_sides(window)[0] - _sides(kernel_size)[0]) // 2
        pads = (tiles[0] + more, tiles[1] + more)
    return Window(
        window,
        strides // align_strides,
        padding,
        surround_pixels=surround,
        align_size=align_size,
        align_strides=align_strides,
        pad_pixels=pads,
        prefilter_size=prefilter_size,
    )


def pooling_window(
    symmetry: Symmetry, map_size: MapSize, size: int, *, strides: int, padding: str, name: str
) -> Window:
    """The window of a pooling.

    Args:
        symmetry, map_size, strides, padding, name: as of `convolution_window`.
        size: side of the plain network's window.

    Raises:
        ValueError: as of `convolution_window`.
    """
    surround = _surround(map_size, size) if padding == "valid" else (0, 0)
    padding = "valid" if padding == "valid" else "same"
    if symmetry.kind != "none":
        # With a window that fits, Keras's "same" pads both sides alike.
        fitted = _padded(map_size, surround)
        size += _stride_remainder(symmetry, fitted, size, strides, padding, name)
    return Window(size, strides, padding, surround_pixels=surround)


def known_size(map_size: MapSize, name: str) -> tuple[int, int]:
    """Returns the size of a map that a layer cannot do without.

    Raises:
        ConfigurationError: it is not known.
    """
    height, width = map_size
    if height is None or width is None:
        raise ConfigurationError(
            f'"{name}" sees the whole map, whose size must be known when the network is built: '
            f"give input_shape a height and a width; here the map is {height} x {width}."
        )
    return height, width


def filter_size(symmetry: Symmetry, kernel_size: KernelSize) -> KernelSize:
    """The filter that stands for a plain network's of `kernel_size`, as large or larger.

    Where filters turn by other angles than 90 degrees, or the images themselves are rotated, 5x5
    pixels take the place of 1x7 and 7x1; and in networks of fields of 3x3, which hold too few
    circular harmonics. Filters of an even size, 2x2 and 4x4 with as large a stride, stay.

    Example:

    >>> filter_size(Symmetry.parse("c8"), 3), filter_size(Symmetry.parse("rot8"), 3)
    (5, 3)
    """
    group = symmetry.group
    is_square = isinstance(kernel_size, int)
    if group is None or kernel_size == 1:
        return kernel_size
    if group.exact_on_grid and (symmetry.rotate == "filters" or is_square):
        return kernel_size
    if not is_square or (symmetry.kind == "regular" and kernel_size == 3):
        return HARMONIC_SIZE
    return kernel_size


def _sides(kernel_size: KernelSize) -> tuple[int, int]:
    return (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size


def _half_pads(kernel_size: KernelSize) -> tuple[int, int]:
    rows, columns = _sides(kernel_size)
    return (rows - 1) // 2, (columns - 1) // 2


def _surround(map_size: MapSize, kernel_size: KernelSize) -> tuple[int, int]:
    """Zeros on either side of a map that is smaller than a window."""
    rows, columns = (
        0 if size is None else (max(0, side - size) + 1) // 2
        for side, size in zip(_sides(kernel_size), map_size, strict=True)
    )
    return rows, columns


def _to_whole_windows(map_size: MapSize, kernel_size: KernelSize, strides: int) -> tuple[int, int]:
    """Zeros on either side of a map, without which its last pixels would be in no window."""
    rows, columns = (
        0 if size is None else (-(max(0, size - side)) % strides + max(0, side - size) + 1) // 2
        for side, size in zip(_sides(kernel_size), map_size, strict=True)
    )
    return rows, columns


def _padded(map_size: MapSize, pixels: tuple[int, int]) -> MapSize:
    height, width = (
        None if size is None else size + 2 * pad for size, pad in zip(map_size, pixels, strict=True)
    )
    return height, width


def _stride_remainder(
    symmetry: Symmetry,
    map_size: MapSize,
    kernel_size: KernelSize,
    strides: int,
    padding: str,
    name: str,
) -> int:
    """Pixels that a strided window would leave out on one side."""
    if strides == 1:
        return 0
    height, width = map_size
    if height is None or height != width:
        raise ValueError(
            f'"{name}": a symmetric network needs square images of a size that is known when '
            f"it is built; here the map is {height} x {width}."
        )
    if not isinstance(kernel_size, int):
        raise ValueError(
            f'"{name}": {symmetry} has no convolution of {kernel_size} taps with strides.'
        )
    pads = 2 * ((kernel_size - 1) // 2) if padding == "same" else 0
    return (height + pads - kernel_size) % strides
