"""What the symmetric kits share: windows that fit the map."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers.spatial.symmetric_downsample2d import SymmetricDownsample2D
from lensnet.models.kit.interface import Kit

__all__ = ["SymmetricKit"]


class SymmetricKit(Kit):
    """Windows that fit.

    A strided window is symmetric only where it fits the map: with padding p, `(size + 2 p -
    kernel_size) % strides` pixels are left over, and they would all be left over on one side.
    Convolutions see means over squares of that many pixels and one (2x2 on an even map, at
    stride 2): of few channels the filter takes the means itself, else they are made before it.
    Pooling takes a window that much larger. Maps keep the size that they have in the plain
    network. The size must be known when the network is built.
    """

    def _window(self, kernel_size: Any) -> Any:
        """The filter that stands for a plain network's of `kernel_size`, as large or larger."""
        return kernel_size

    def _fit(
        self,
        x: Any,
        kernel_size: Any,
        strides: int,
        padding: str,
        name: str,
        means_in_filter: bool,
    ) -> tuple[Any, dict[str, Any]]:
        padding = "valid" if padding == "valid" else "same"
        left_over = self._left_over(x, kernel_size, strides, padding, name)
        means = {}
        if left_over and means_in_filter and kernel_size > 1:
            means["prefilter_size"] = left_over + 1
        elif left_over:
            # A pointwise convolution sees only the means that it keeps.
            step = strides if kernel_size == 1 and left_over == strides - 1 else 1
            x = keras.layers.AveragePooling2D(left_over + 1, strides=step, name=f"{name}.align")(x)
            strides = strides // step
        window = self._window(kernel_size)
        if window != kernel_size and padding == "valid":
            plain = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
            pads = tuple((window - side) // 2 for side in plain)
            x = keras.layers.ZeroPadding2D(pads, name=f"{name}.pad")(x)
        return x, {"kernel_size": window, "strides": strides, "padding": padding, **means}

    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        x, window, padding = self._pooling_window(x, size, strides, padding, name)
        return keras.layers.MaxPooling2D(window, strides=strides, padding=padding, name=name)(x)

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
        if padding == "same" and count_padding:
            x = keras.layers.ZeroPadding2D((size - 1) // 2, name=f"{name}.pad")(x)
            padding = "valid"
        x, window, padding = self._pooling_window(x, size, strides, padding, name)
        return keras.layers.AveragePooling2D(window, strides=strides, padding=padding, name=name)(x)

    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        return SymmetricDownsample2D(strides, window_size=strides, name=name)(x)

    def _pooling_window(
        self, x: Any, size: int, strides: int, padding: str, name: str
    ) -> tuple[Any, int, str]:
        padding = "valid" if padding == "valid" else "same"
        if padding == "valid":
            x = self._pad_to_window(x, size, name)
        # With a window that fits, Keras's "same" pads both sides alike.
        return x, size + self._left_over(x, size, strides, padding, name), padding

    def _left_over(self, x: Any, kernel_size: Any, strides: int, padding: str, name: str) -> int:
        """Pixels that a strided window would leave out on one side."""
        if strides == 1:
            return 0
        _, height, width, _ = x.shape
        if height is None or height != width:
            raise ValueError(
                f'"{name}": a symmetric network needs square images of a size that is known when '
                f"it is built; here the map is {height} x {width}."
            )
        if not isinstance(kernel_size, int):
            raise ValueError(
                f'"{name}": {self.symmetry} has no convolution of {kernel_size} taps with strides.'
            )
        pad_pixels = (kernel_size - 1) // 2 if padding == "same" else 0
        return int(height + 2 * pad_pixels - kernel_size) % strides
