"""What every symmetric convolution shares: its arguments, its weights' bookkeeping, its padding."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
from keras import ops

from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import (
    plain_convolution,
    plain_depthwise_convolution,
)

__all__ = ["SymmetricConv2D"]


class SymmetricConv2D(keras.layers.Layer):
    """Base of the symmetric convolutions: square filters, symmetric padding, channels last.

    Three deliberate deviations from `keras.layers.Conv2D`: filters are square; `"same"` pads
    `(kernel_size - 1) / 2` pixels on every side at any stride, where TensorFlow pads one side
    more than the other at stride 2 and so breaks the symmetry; and a filter may see means of
    neighbouring pixels in place of pixels.

    Args:
        kernel_size: side of the square filters, in pixels.
        strides: of the output.
        padding: `"same"` or `"valid"`.
        dilation_rate: pixels from one tap of the filters to the next.
        prefilter_size: side of the box of pixels whose mean each tap sees. With a stride of 2, a
            map of even size and `"same"`, 2 makes the windows fit the map, which symmetry needs:
            the filters then reach over one pixel more than `kernel_size`.
        use_bias, bias_initializer, bias_regularizer: as in `keras.layers.Conv2D`.
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
        prefilter_size: int = 1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.check_positive(
            kernel_size=kernel_size,
            strides=strides,
            dilation_rate=dilation_rate,
            prefilter_size=prefilter_size,
        )
        if padding not in ("same", "valid"):
            raise ValueError(f'padding is "same" or "valid"; got {padding!r}.')
        if padding == "same" and kernel_size % 2 == 0:
            raise ValueError(
                f'A filter of even size ({kernel_size}) cannot be padded "same" on all sides '
                'alike, which symmetry needs. Use an odd kernel_size or padding="valid".'
            )
        if prefilter_size > 1 and dilation_rate > 1:
            raise ValueError("A layer takes prefilter_size or dilation_rate, not both.")
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.prefilter_size = prefilter_size
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
                    f"square, so that they can be rotated); got {value!r}."
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
        kernel = ops.cast(self.box_prefilter(kernel), self.compute_dtype)
        pixels, padding = self.pads(inputs.shape)
        if pixels:
            inputs = ops.pad(inputs, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
        outputs = operation(
            inputs,
            kernel,
            strides=self.plain_strides,
            padding=padding,
            dilation_rate=self.dilation_rate,
            data_format="channels_last",
        )
        stride = self.strides // self.plain_strides
        return outputs[:, ::stride, ::stride, :] if stride > 1 else outputs

    def fold_padding(self, graph: FoldedGraph, inputs: Any) -> tuple[Any, str]:
        """The input with as many zeros as `convolve` adds by hand, and the padding after that."""
        pixels, padding = self.pads(inputs.shape)
        if not pixels:
            return inputs, padding
        zeros = keras.layers.ZeroPadding2D(
            pixels, data_format="channels_last", dtype=self.dtype_policy, name=f"{self.name}.pad"
        )
        return graph.add_channelwise(zeros, inputs), padding

    def fold_convolution(
        self,
        graph: FoldedGraph,
        padded: tuple[Any, str],
        kernel: Any,
        bias: Any,
        name: str,
        groups: int = 1,
    ) -> Any:
        """What `convolve` becomes when the layer is folded.

        Args:
            graph: as of `fold`.
            padded: what `fold_padding` returns.
            kernel, bias: as plain ones; the bias may be None.
            name: of the stock layer.
            groups: as of `plain_convolution`.
        """
        inputs, padding = padded
        kernel, bias = to_numpy(self.box_prefilter(kernel)), to_numpy(bias)
        options = {"padding": padding, **self._plain_options()}
        outputs = plain_convolution(
            graph, self, inputs, kernel, bias, name, groups=groups, **options
        )
        return self._fold_stride(graph, outputs, name)

    def fold_depthwise_convolution(
        self,
        graph: FoldedGraph,
        padded: tuple[Any, str],
        kernel: Any,
        bias: Any,
        name: str,
        is_last: bool = True,
    ) -> Any:
        """What `convolve` becomes with a depthwise kernel, when the layer is folded.

        Args:
            graph, padded, kernel, bias, name: as of `fold_convolution`.
            is_last: whether this is what the layer answers, so that a normalisation may follow.
        """
        inputs, padding = padded
        options = {"padding": padding, **self._plain_options()}
        outputs, permutation = plain_depthwise_convolution(
            graph, self, inputs, self.box_prefilter(kernel), bias, name, is_last, **options
        )
        return graph.permute(self._fold_stride(graph, outputs, name), permutation)

    def _plain_options(self) -> dict[str, Any]:
        """Those that the plain convolution shares with the layer."""
        return {"strides": self.plain_strides, "dilation_rate": self.dilation_rate}

    def _fold_stride(self, graph: FoldedGraph, outputs: Any, name: str) -> Any:
        """Every n-th pixel, of a layer with a stride and a dilation."""
        stride = self.strides // self.plain_strides
        if stride == 1:
            return outputs
        pool = keras.layers.MaxPooling2D(
            1,
            strides=stride,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name=f"{name}.stride",
        )
        return graph.propagate_fusable(outputs, graph.add_layer(pool, outputs)[1])

    @property
    def plain_strides(self) -> int:
        """The stride of the plain convolution; what it lacks is made up for by leaving out pixels.

        No backend has a stride and a dilation at once.
        """
        return self.strides if self.dilation_rate == 1 else 1

    def box_prefilter(self, kernel: Any) -> Any:
        """The kernel that sees pixels, of one that sees means over a box of `prefilter_size`.

        Args:
            kernel: shape (kernel_size, kernel_size, ...).

        Returns:
            tensor of shape (side, side, ...), side being kernel_size + prefilter_size - 1.
        """
        more = self.prefilter_size - 1
        if not more:
            return kernel
        for axis in (0, 1):
            pads = [[(0, 0)] * len(kernel.shape) for _ in range(self.prefilter_size)]
            for shift, pad in enumerate(pads):
                pad[axis] = (shift, more - shift)
            kernel = sum(ops.pad(kernel, pad) for pad in pads) / self.prefilter_size
        return kernel

    def pads(self, input_shape: tuple[int | None, ...]) -> tuple[int, str]:
        """How a plain convolution pads like the layer.

        Returns:
            zeros to put on each side of the map by hand, and the convolution's own padding after
            that: `"same"` wherever it pads alike, because by hand takes a copy of the map.
        """
        pixels = self._pad_pixels
        if self.padding == "valid" or all(
            self._same_pads(side) == 2 * pixels for side in input_shape[1:3]
        ):
            return 0, self.padding
        return pixels, "valid"

    def _same_pads(self, side: int | None) -> int | None:
        """The zeros that the plain convolution's own `"same"` puts on both sides of a map."""
        stride = self.plain_strides
        if stride == 1:
            return self._extent - 1
        if side is None:
            return None
        return max(0, (-(-side // stride) - 1) * stride + self._extent - side)

    def is_full_map(self, inputs: Any) -> bool:
        """Whether the filter covers the whole map, so that one output pixel is left."""
        return (
            self.padding == "valid"
            and self.dilation_rate == self.prefilter_size == 1
            and tuple(inputs.shape[1:3]) == (self.kernel_size, self.kernel_size)
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        pads = 2 * self._pad_pixels - self._extent
        sides = [
            None if side is None else (side + pads) // self.strides + 1 for side in input_shape[1:3]
        ]
        return (input_shape[0], *sides, self.output_channels(input_shape[-1]))

    @property
    def _extent(self) -> int:
        """Pixels along a window."""
        return self.dilation_rate * (self.kernel_size - 1) + self.prefilter_size

    @property
    def _pad_pixels(self) -> int:
        return self.dilation_rate * (self.kernel_size - 1) // 2 if self.padding == "same" else 0

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SymmetricConv2D:
        config = dict(config)
        if "mean_size" in config:  # its name in models of version 0.1 and before
            config["prefilter_size"] = config.pop("mean_size")
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "prefilter_size": self.prefilter_size,
            "use_bias": self.use_bias,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }
