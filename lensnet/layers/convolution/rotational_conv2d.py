"""Convolution that takes the maximum over the rotations of its filter."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.block_convolution import block_convolution
from lensnet.layers.convolution.base_conv import SymmetricGroupedConv2D
from lensnet.layers.convolution.filter_rotation import check_rotations, filter_rotations
from lensnet.layers.field_layout import channels_of
from lensnet.layers.folding.arrays import multiply, to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.plain_convolutions import maximum
from lensnet.layers.spatial.image_rotation import rotate_images
from lensnet.layers.spatial.inscribed_disk import inscribed_disk

__all__ = ["RotationalConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class RotationalConv2D(SymmetricGroupedConv2D):
    """Convolves with every rotation of each filter and keeps the largest response.

    With `rotate="filters"` the output is `max_k conv(x, rotate(w, k)) + b`: rotating the input
    rotates the output, so that a stack of such layers is equivariant, and the features stay scalar
    (one channel a filter). (Marcos, Volpi & Tuia 2016, "Learning rotation invariant convolutional
    filters for texture classification", arXiv:1604.06720, who take the maximum over the map too.)

    With `rotate="inputs"` it is `max_k conv(rotate(x, k), w) + b`, without rotating the outputs
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
        **kwargs: Any,
    ):
        super().__init__(filters, kernel_size, groups=groups, **kwargs)
        check_rotations(rotations)
        if rotate not in ("filters", "inputs"):
            raise ValueError(f'rotate is "filters" or "inputs"; got {rotate!r}.')
        self.rotations = rotations
        self.rotate = rotate
        self.circular_mask = circular_mask

    def output_channels(self, input_channels: int | None) -> int | None:
        return self.filters

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.rotate == "inputs" and input_shape[1] != input_shape[2]:
            raise ValueError(
                f'{self.name}: rotate="inputs" rotates the whole image, which must be square; got '
                f"{input_shape[1]} x {input_shape[2]} pixels."
            )
        channels = channels_of(input_shape, self.name)
        self._channels_in = self.cut_into_groups(channels, "channels")
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, self.kernel_size, self._channels_in, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = self.add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        if self.rotate == "inputs":
            responses = self._rotated_input_responses(inputs)
        elif self.is_full_map(inputs) and self.groups == 1:
            responses = self._full_map_responses(inputs)
        else:
            responses = [
                self._respond(inputs, kernel) for kernel in ops.unstack(self.rotated_kernels())
            ]
        outputs = responses[0]
        for response in responses[1:]:
            outputs = ops.maximum(outputs, response)
        return outputs if self.bias is None else outputs + self.bias

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        if self.rotate == "inputs":
            kernels = [to_numpy(self._kernel_of_inputs())] * self.rotations
            padded = [
                self.fold_padding(graph, self._fold_rotation(graph, inputs, k))
                for k in range(self.rotations)
            ]
        else:
            kernels = ops.unstack(self.rotated_kernels(), self.rotations)
            padded = [self.fold_padding(graph, inputs)] * self.rotations
        responses = [
            self.fold_convolution(
                graph, image, kernel, self.bias, f"{self.name}.turned{k}", groups=self.groups
            )
            for k, (image, kernel) in enumerate(zip(padded, kernels, strict=True))
        ]
        return maximum(graph, self, responses)

    def _fold_rotation(self, graph: FoldedGraph, inputs: Any, k: int) -> Any:
        if 4 * k % self.rotations == 0:
            return rotate_images(inputs, 4 * k // self.rotations)
        size = inputs.shape[1]
        # One transform for each image, in a batch of unknown size.
        transforms = ops.zeros_like(inputs[:, 0, 0, :1]) + self._transform(k, size)
        rotated = ops.image.affine_transform(
            inputs, transforms, interpolation="bilinear", data_format="channels_last"
        )
        return multiply(graph, self, rotated, inscribed_disk(size, size)[:, :, None])

    def _respond(self, inputs: Any, kernel: Any) -> Any:
        if self.groups == 1:
            return self.convolve(inputs, kernel)
        operation = functools.partial(block_convolution, groups=self.groups)
        return self.convolve(inputs, kernel, operation)

    def rotated_kernels(self) -> Any:
        """The filter in each of its rotations.

        Returns:
            tensor of shape (rotations, kernel_size, kernel_size, channels in / groups, filters).
        """
        size = self.kernel_size
        taps = ops.reshape(self.kernel, (size * size, -1))
        rotated = ops.matmul(self._rotation_matrices(), taps)
        return ops.reshape(rotated, (self.rotations, size, size, self._channels_in, self.filters))

    def _rotation_matrices(self) -> Any:
        matrices = filter_rotations(self.kernel_size, self.rotations, self.circular_mask)
        return ops.cast(matrices, self.compute_dtype)

    def _full_map_responses(self, inputs: Any) -> list[Any]:
        """One output pixel: the map is rotated back instead of the large filter."""
        taps = self.kernel_size**2
        rows = ops.reshape(inputs, (-1, 1, taps, self._channels_in))
        back = ops.transpose(self._rotation_matrices(), (0, 2, 1))
        rotated = ops.reshape(
            ops.matmul(back, rows), (-1, self.rotations, taps * self._channels_in)
        )
        responses = ops.matmul(rotated, ops.reshape(self.kernel, (-1, self.filters)))
        return [
            ops.reshape(response, (-1, 1, 1, self.filters))
            for response in ops.unstack(responses, axis=1)
        ]

    def _rotated_input_responses(self, inputs: Any) -> list[Any]:
        kernel = self._kernel_of_inputs()
        return [
            self._respond(self._rotated_input(inputs, k), kernel) for k in range(self.rotations)
        ]

    def _kernel_of_inputs(self) -> Any:
        """The kernel that sees the rotated inputs, masked where that is asked for."""
        if not self.circular_mask:
            return self.kernel
        disk = inscribed_disk(self.kernel_size, self.kernel_size)[:, :, None, None]
        return self.kernel * ops.cast(disk, self.compute_dtype)

    def _rotated_input(self, inputs: Any, k: int) -> Any:
        if 4 * k % self.rotations == 0:
            return ops.rot90(inputs, 4 * k // self.rotations, axes=(1, 2))
        size = inputs.shape[1]
        transforms = ops.tile(self._transform(k, size), (ops.shape(inputs)[0], 1))
        rotated = ops.image.affine_transform(
            inputs, transforms, interpolation="bilinear", data_format="channels_last"
        )
        disk = ops.cast(inscribed_disk(size, size)[None, :, :, None], rotated.dtype)
        return rotated * disk

    def _transform(self, k: int, size: int) -> np.ndarray:
        """The affine transform that rotates square images k times, shape (1, 8)."""
        angle = 2 * np.pi * k / self.rotations
        cosine, sine, centre = np.cos(angle), np.sin(angle), (size - 1) / 2
        # Row-major pixel coordinates, y downwards: output (x, y) shows input (a x + b y + c, ...).
        return np.array(
            [
                [
                    *(cosine, -sine, centre - cosine * centre + sine * centre),
                    *(sine, cosine, centre - sine * centre - cosine * centre),
                    *(0.0, 0.0),
                ]
            ],
            dtype="float32",
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rotations": self.rotations,
            "rotate": self.rotate,
            "circular_mask": self.circular_mask,
        }
