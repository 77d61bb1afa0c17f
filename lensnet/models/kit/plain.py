"""The kit of symmetry `none`: stock Keras layers, padded as PyTorch or TensorFlow pads."""

from __future__ import annotations

from typing import Any, final

import keras

from lensnet.models.kit.scalar import ScalarKit

__all__ = ["PlainKit"]


@final
class PlainKit(ScalarKit):
    """Stock Keras layers; `lensnet.layers.accelerate` makes them fast on a CPU."""

    def _fit(
        self,
        x: Any,
        kernel_size: Any,
        strides: int,
        padding: str,
        name: str,
        means_in_filter: bool,
    ) -> tuple[Any, dict[str, Any]]:
        if padding == "tensorflow":
            padding = "same"
        elif padding == "same" and strides > 1:
            # Keras would pad one side more than the other.
            if kernel_size > 1:
                x = keras.layers.ZeroPadding2D((kernel_size - 1) // 2, name=f"{name}.pad")(x)
            padding = "valid"
        return x, {"kernel_size": kernel_size, "strides": strides, "padding": padding}

    def _lifting_layer(self, **options: Any) -> keras.Layer:
        return self._conv_layer(**options)

    def _conv_layer(self, *, kernel_size: Any, groups: int = 1, **options: Any) -> keras.Layer:
        options |= {
            "kernel_size": kernel_size,
            "kernel_initializer": self.kernel_initializer,
            "kernel_regularizer": self.kernel_regularizer,
        }
        return keras.layers.Conv2D(groups=groups, **options)

    def _depthwise_layer(self, **options: Any) -> keras.Layer:
        return keras.layers.DepthwiseConv2D(
            depthwise_initializer=self._depthwise_initializer(),
            depthwise_regularizer=self.kernel_regularizer,
            **options,
        )

    def max_pool(
        self, x: Any, size: int, *, strides: int, padding: str = "valid", name: str
    ) -> Any:
        if padding == "valid":
            x = self._pad_to_window(x, size, name)
        elif padding == "same":
            pixels = (size - 1) // 2
            sides = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
            # In place of minus infinity, which a saved model's JSON cannot hold.
            lowest = -6e4 if x.dtype == "float16" else -3e38
            x = keras.ops.pad(x, sides, constant_values=lowest)
        return keras.layers.MaxPooling2D(
            size, strides=strides, padding="same" if padding == "tensorflow" else "valid", name=name
        )(x)

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
        if padding == "valid":
            x = self._pad_to_window(x, size, name)
        elif count_padding:
            x = keras.layers.ZeroPadding2D((size - 1) // 2, name=f"{name}.pad")(x)
            padding = "valid"
        return keras.layers.AveragePooling2D(size, strides=strides, padding=padding, name=name)(x)

    def downsample(self, x: Any, strides: int, *, name: str) -> Any:
        # Keras's "same" leaves padded pixels out of the mean.
        return keras.layers.AveragePooling2D(strides, strides=strides, padding="same", name=name)(x)
