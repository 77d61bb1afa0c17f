"""What every symmetric convolution shares: its arguments, its weights' bookkeeping, its padding."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
from keras import ops

__all__ = ["SymmetricConv2D", "channels_of"]


def channels_of(input_shape: tuple[int | None, ...], name: str) -> int:
    """The number of channels of a layer's input.

    Raises:
        ValueError: it is not known.
    """
    channels = input_shape[-1]
    if channels is None:
        raise ValueError(f"{name}: the number of input channels must be known; got {input_shape}.")
    return channels


class SymmetricConv2D(keras.layers.Layer):
    """Base of the symmetric convolutions: square filters, symmetric padding, channels last.

    Two deliberate deviations from `keras.layers.Conv2D`: filters are square, and `"same"` pads
    `(kernel_size - 1) / 2` pixels on every side at any stride, where TensorFlow pads one side
    more than the other at stride 2 and so breaks the symmetry.
    """

    def __init__(
        self,
        kernel_size: int,
        strides: int = 1,
        padding: str = "same",
        dilation_rate: int = 1,
        use_bias: bool = True,
        bias_initializer: Any = "zeros",
        bias_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.check_positive(kernel_size=kernel_size, strides=strides, dilation_rate=dilation_rate)
        if padding not in ("same", "valid"):
            raise ValueError(f'padding is "same" or "valid"; got {padding!r}.')
        if padding == "same" and kernel_size % 2 == 0:
            raise ValueError(
                f'A filter of even size ({kernel_size}) cannot be padded "same" on all sides '
                'alike, which symmetry needs. Use an odd kernel_size or padding="valid".'
            )
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.use_bias = use_bias
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    @abstractmethod
    def output_channels(self, input_channels: int | None) -> int | None:
        """Channels of the output, from those of the input."""

    def check_positive(self, **arguments: Any) -> None:
        """Asks that each argument is a positive integer.

        Raises:
            ValueError: one is not.
        """
        for name, value in arguments.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"{type(self).__name__} takes {name} as one positive integer (filters are "
                    f"square, so that they can be turned); got {value!r}."
                )

    def add_bias(self, values: int) -> Any:
        """Makes the bias's variable, or None."""
        if not self.use_bias:
            return None
        return self.add_weight(
            name="bias",
            shape=(values,),
            initializer=self.bias_initializer,
            regularizer=self.bias_regularizer,
        )

    def convolve(self, inputs: Any, kernel: Any, operation: Any = ops.conv) -> Any:
        """A plain convolution with the layer's stride, dilation and symmetric padding.

        Args:
            inputs: shape (batch, height, width, channels).
            kernel: as `operation` takes it; it is cast to the layer's compute dtype.
            operation: `keras.ops.conv` or another with its arguments.
        """
        kernel = ops.cast(kernel, self.compute_dtype)
        if self.strides > 1 and self.dilation_rate > 1:
            # No backend has both at once: every pixel is computed, and every n-th is kept.
            step = self.strides
            return self._convolve(inputs, kernel, operation, strides=1)[:, ::step, ::step, :]
        return self._convolve(inputs, kernel, operation, strides=self.strides)

    def _convolve(self, inputs: Any, kernel: Any, operation: Any, strides: int) -> Any:
        padding = "valid"
        if self.padding == "same":
            if strides == 1:
                padding = "same"  # symmetric at stride 1, and quicker than padding by hand
            elif self.kernel_size > 1:
                pixels = self._pad_pixels
                inputs = ops.pad(inputs, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
        return operation(
            inputs,
            kernel,
            strides=strides,
            padding=padding,
            dilation_rate=self.dilation_rate,
            data_format="channels_last",
        )

    def covers(self, inputs: Any) -> bool:
        """Whether the filter covers the whole map, so that one output pixel is left."""
        return (
            self.padding == "valid"
            and self.dilation_rate == 1
            and tuple(inputs.shape[1:3]) == (self.kernel_size, self.kernel_size)
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        extent = self.dilation_rate * (self.kernel_size - 1) + 1
        sides = [
            None if side is None else (side + 2 * self._pad_pixels - extent) // self.strides + 1
            for side in input_shape[1:3]
        ]
        return (input_shape[0], *sides, self.output_channels(input_shape[-1]))

    @property
    def _pad_pixels(self) -> int:
        return self.dilation_rate * (self.kernel_size - 1) // 2 if self.padding == "same" else 0

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "use_bias": self.use_bias,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }
