"""What every kit of Keras layers hands out alike."""

from __future__ import annotations

import math
from typing import Any

import keras

from lensnet.models.kit.interface import Kit
from lensnet.models.kit.keras_tokens import KerasTokenKit
from lensnet.models.kit.windows import Window

__all__ = ["KerasKit"]


class KerasKit(KerasTokenKit, Kit):
    """The layers that no symmetry asks to be others.

    They treat pixels or channels alike, so that a rotated map gives the rotated answer whatever the
    channels mean.
    """

    def _window_options(self, window: Window) -> dict[str, Any]:
        """A window as a layer's arguments."""
        options = {
            "kernel_size": window.kernel_size,
            "strides": window.strides,
            "padding": window.padding,
        }
        if window.prefilter_size > 1:
            options["prefilter_size"] = window.prefilter_size
        return options

    def _zero_pad(self, x: Any, pixels: tuple[int, int], *, name: str) -> Any:
        return keras.layers.ZeroPadding2D(pixels, name=name)(x)

    def _max_pool(self, x: Any, window: Window, *, name: str) -> Any:
        return keras.layers.MaxPooling2D(
            window.kernel_size, strides=window.strides, padding=window.padding, name=name
        )(x)

    def _avg_pool(self, x: Any, window: Window, *, name: str) -> Any:
        return keras.layers.AveragePooling2D(
            window.kernel_size, strides=window.strides, padding=window.padding, name=name
        )(x)

    def adaptive_pool(self, x: Any, size: int | tuple[int, int], *, name: str) -> Any:
        # Pixel i of m is the mean of those that it touches of the n that there are, from
        # floor(i n / m) to ceil((i + 1) n / m), which is the same from either end. (Keras's own
        # layer gives NaN with JAX from 3 to 7 pixels.)
        sides = (size, size) if isinstance(size, int) else size
        old = self.map_size(x, name=name)
        for axis, (pixels, new_pixels) in enumerate(zip(old, sides, strict=True), start=1):
            if pixels == new_pixels:
                continue
            starts = [i * pixels // new_pixels for i in range(new_pixels)]
            lengths = [-(-(i + 1) * pixels // new_pixels) - starts[i] for i in range(new_pixels)]
            # Windows of different lengths are gathered alike, each pixel as often as it takes.
            taken = math.lcm(*lengths)
            windows = [
                [start + i * length // taken for i in range(taken)]
                for start, length in zip(starts, lengths, strict=True)
            ]
            x = keras.ops.mean(keras.ops.take(x, windows, axis=axis), axis=axis + 1)
        return keras.layers.Identity(name=name)(x)

    def global_pool(self, x: Any, *, name: str) -> Any:
        return keras.layers.GlobalAveragePooling2D(keepdims=True, name=name)(x)

    def activation(self, x: Any, activation: str, *, name: str) -> Any:
        if activation == "leaky_relu":
            # PyTorch's slope; Keras's default is 0.2.
            slope = 0.01
            if isinstance(x._keras_history.operation, keras.layers.Add):
                # On a CPU, TensorFlow 2.21 computes "convolution, bias, sum, LeakyRelu", which is
                # what folding leaves of a residual block, as one operation whose slope is 0.2.
                return keras.layers.Maximum(name=name)([x, slope * x])
            return keras.layers.LeakyReLU(negative_slope=slope, name=name)(x)
        return keras.layers.Activation(activation, name=name)(x)

    def rescale(self, x: Any, factor: float, *, name: str) -> Any:
        # Keras's layer `Rescaling` needs TensorFlow on every backend.
        return keras.layers.Identity(name=name)(factor * x)

    def add(self, tensors: list[Any], *, name: str) -> Any:
        return keras.layers.Add(name=name)(tensors)

    def concatenate(self, tensors: list[Any], *, name: str) -> Any:
        return keras.layers.Concatenate(name=name)(tensors)

    def _split(self, x: Any, parts: int) -> list[Any]:
        return list(keras.ops.split(x, parts, axis=-1))

    def stage(self, x: Any, name: str) -> Any:
        return keras.layers.Identity(name=f"stage.{name}")(x)
