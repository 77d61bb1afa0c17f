"""Convolution that takes the maximum over the rotations of its filter."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.block_convolution import block_convolution
from lensnet.layers.convolution.base_conv import SymmetricConv2D, channels_of
from lensnet.layers.convolution.filter_rotation import circular_mask, filter_rotations

__all__ = ["RotationalConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class RotationalConv2D(SymmetricConv2D):
    """Convolves with every rotation of each filter and keeps the largest response.

    With `rotate="filters"` the output is `max_k conv(x, turn(w, k)) + b`: turning the input turns
    the output, so that a stack of such layers is equivariant, and the features stay scalar (one
    channel a filter). (Marcos, Volpi & Tuia 2016, "Learning rotation invariant convolutional
    filters for texture classification", arXiv:1604.06720, who take the maximum over the map too.)

    With `rotate="inputs"` it is `max_k conv(turn(x, k), w) + b`, without turning the outputs
    back. That is invariant for the image as a whole, but the maximum mixes positions that are not
    the same place of the image; it is kept to reproduce published results. (For whole networks:
    TI-pooling, Laptev et al. 2016, arXiv:1604.06318.) It needs square images. Of an angle that is
    not a multiple of 90 degrees, the image is interpolated and only the pixels within the
    inscribed circle are kept.

    The maximum over n rotations costs n convolutions. Four rotations are exact; more are exact
    at multiples of 90 degrees and approximate between, for filters are interpolated there.

    Args:
        filters: number of filters and of output channels.
        kernel_size: side of the square filters, in pixels.
        rotations: number of rotations, 360 / rotations degrees apart.
        rotate: `"filters"` or `"inputs"`.
        circular_mask: keep only the filter's taps within its inscribed circle, so that every
            rotation covers the same pixels. Default: where filters are interpolated.
        groups: number of groups that the channels and the filters are cut into, each group of
            filters seeing its group of channels only.
        strides, padding, dilation_rate, use_bias, kernel_initializer, bias_initializer,
            kernel_regularizer, bias_regularizer: as in `GroupConv2D`.

    Input shape:
        (batch, height, width, channels).

    Output shape:
        (batch, new height, new width, filters).

    Raises:
        ValueError: an argument is out of range, channels or filters cannot be cut into `groups`,
            or the images are not square with `rotate="inputs"`.

    Example:

    >>> import keras
    >>> images = keras.random.normal((2, 33, 33, 3))
    >>> tuple(RotationalConv2D(8, 3)(images).shape)
    (2, 33, 33, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        rotations: int = 4,
        rotate: str = "filters",
        circular_mask: bool | None = None,
        groups: int = 1,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(kernel_size, **kwargs)
        self.check_positive(filters=filters, groups=groups)
        if filters % groups:
            raise ValueError(f"{filters} filters cannot be cut into {groups} groups.")
        if not isinstance(rotations, int) or rotations < 1:
            raise ValueError(f"rotations is a positive integer; got {rotations!r}.")
        if rotate not in ("filters", "inputs"):
            raise ValueError(f'rotate is "filters" or "inputs"; got {rotate!r}.')
        self.filters = filters
        self.rotations = rotations
        self.rotate = rotate
        self.circular_mask = circular_mask
        self.groups = groups
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def output_channels(self, input_channels: int | None) -> int | None:
        return self.filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.rotate == "inputs" and input_shape[1] != input_shape[2]:
            raise ValueError(
                f'{self.name}: rotate="inputs" turns the whole image, which must be square; got '
                f"{input_shape[1]} x {input_shape[2]} pixels."
            )
        channels = channels_of(input_shape, self.name)
        if channels % self.groups:
            raise ValueError(
                f"{self.name}: {channels} channels cannot be cut into {self.groups} groups."
            )
        self._channels_in = channels // self.groups
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, self._channels_in, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        if self.rotate == "inputs":
            responses = self._turned_input_responses(inputs)
        elif self.covers(inputs) and self.groups == 1:
            responses = self._cover_responses(inputs)
        else:
            responses = [
                self._respond(inputs, kernel) for kernel in ops.unstack(self.turned_kernels())
            ]
        outputs = responses[0]
        for response in responses[1:]:
            outputs = ops.maximum(outputs, response)
        return outputs if self.bias is None else outputs + self.bias

    def _respond(self, inputs: Any, kernel: Any) -> Any:
        if self.groups == 1:
            return self.convolve(inputs, kernel)
        operation = functools.partial(block_convolution, groups=self.groups)
        return self.convolve(inputs, kernel, operation)

    def turned_kernels(self) -> Any:
        """The filter in each of its rotations.

        Returns:
            tensor of shape (rotations, kernel_size, kernel_size, channels in / groups, filters).
        """
        size = self.kernel_size
        taps = ops.reshape(self.kernel, (size * size, -1))
        turned = ops.matmul(self._rotation_matrices(), taps)
        return ops.reshape(turned, (self.rotations, size, size, self._channels_in, self.filters))

    def _rotation_matrices(self) -> Any:
        masked = self.circular_mask
        if masked is None:
            masked = 4 % self.rotations != 0
        matrices = filter_rotations(self.kernel_size, self.rotations, masked)
        return ops.cast(matrices, self.compute_dtype)

    def _cover_responses(self, inputs: Any) -> list[Any]:
        """One output pixel: the map is turned back instead of the large filter."""
        taps = self.kernel_size**2
        rows = ops.reshape(inputs, (-1, 1, taps, self._channels_in))
        back = ops.transpose(self._rotation_matrices(), (0, 2, 1))
        turned = ops.reshape(ops.matmul(back, rows), (-1, self.rotations, taps * self._channels_in))
        responses = ops.matmul(turned, ops.reshape(self.kernel, (-1, self.filters)))
        return [
            ops.reshape(response, (-1, 1, 1, self.filters))
            for response in ops.unstack(responses, axis=1)
        ]

    def _turned_input_responses(self, inputs: Any) -> list[Any]:
        kernel: Any = self.kernel
        if self.circular_mask:
            mask = circular_mask(self.kernel_size)[:, :, None, None]
            kernel = kernel * ops.cast(mask, self.compute_dtype)
        return [self._respond(self._turned_input(inputs, k), kernel) for k in range(self.rotations)]

    def _turned_input(self, inputs: Any, k: int) -> Any:
        if 4 * k % self.rotations == 0:
            return ops.rot90(inputs, 4 * k // self.rotations, axes=(1, 2))
        size = inputs.shape[1]
        angle = 2 * np.pi * k / self.rotations
        cosine, sine, centre = np.cos(angle), np.sin(angle), (size - 1) / 2
        # Row-major pixel coordinates, y downwards: output (x, y) shows input (a x + b y + c, ...).
        transform = np.array(
            [
                [
                    *(cosine, -sine, centre - cosine * centre + sine * centre),
                    *(sine, cosine, centre - sine * centre - cosine * centre),
                    *(0.0, 0.0),
                ]
            ],
            dtype="float32",
        )
        transforms = ops.tile(ops.convert_to_tensor(transform), (ops.shape(inputs)[0], 1))
        turned = ops.image.affine_transform(
            inputs, transforms, interpolation="bilinear", data_format="channels_last"
        )
        mask = ops.cast(circular_mask(size)[None, :, :, None], turned.dtype)
        return turned * mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "rotations": self.rotations,
            "rotate": self.rotate,
            "circular_mask": self.circular_mask,
            "groups": self.groups,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
