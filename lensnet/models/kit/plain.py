"""The kit of symmetry `none`: stock Keras layers, padded as PyTorch or TensorFlow pads."""

from __future__ import annotations

from typing import Any, final

import keras

from lensnet.models.kit.scalar import ScalarKit
from lensnet.models.kit.windows import Window

__all__ = ["PlainKit"]


@final
class PlainKit(ScalarKit):
    """Stock Keras layers; `lensnet.layers.accelerate` makes them fast on a CPU."""

    def _lift(self, image: Any, channels: int, window: Window, **options: Any) -> Any:
        return self._conv(image, channels, window, groups=1, **options)

    def _conv(self, x: Any, channels: int, window: Window, *, groups: int, **options: Any) -> Any:
        options |= {
            "filters": channels,
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": self.kernel_regularizer,
            **self._window_options(window),
        }
        return keras.layers.Conv2D(groups=groups, **options)(x)

    def _depthwise(self, x: Any, window: Window, **options: Any) -> Any:
        return keras.layers.DepthwiseConv2D(
            depthwise_initializer=self._depthwise_initializer(),
            depthwise_regularizer=self.kernel_regularizer,
            **self._window_options(window),
            **options,
        )(x)

    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        if padding == "same":
            pixels = (size - 1) // 2
            sides = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
            # In place of minus infinity, which a saved model's JSON cannot hold.
            lowest = -6e4 if x.dtype == "float16" else -3e38
            x, padding = keras.ops.pad(x, sides, constant_values=lowest), "valid"
        return super().max_pool(x, size, strides=strides, padding=padding, name=name)

    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        # Keras's "same" leaves padded pixels out of the mean.
        return keras.layers.AveragePooling2D(strides, strides=strides, padding="same", name=name)(x)
