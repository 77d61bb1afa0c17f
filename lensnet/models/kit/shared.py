"""What every kit hands out alike."""

from __future__ import annotations

import math
from typing import Any

import keras

from lensnet.symmetry import Symmetry

__all__ = ["SharedLayers"]


class SharedLayers:
    """The methods of a `Kit` whose layers no symmetry asks to be others.

    They treat pixels or channels alike, so that a turned map gives the turned answer whatever the
    channels mean.
    """

    symmetry: Symmetry

    def activation(self, x: Any, activation: str, *, name: str) -> Any:
        """A pointwise non-linearity, which every feature here is compatible with."""
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
        """A map times a number that is not learnt."""
        # Keras's layer `Rescaling` needs TensorFlow on every backend.
        return keras.layers.Identity(name=name)(factor * x)

    def add(self, tensors: list[Any], *, name: str) -> Any:
        """The sum of maps of one kind."""
        return keras.layers.Add(name=name)(tensors)

    def concatenate(self, tensors: list[Any], *, name: str) -> Any:
        """Maps beside each other: fields stay whole."""
        return keras.layers.Concatenate(name=name)(tensors)

    def split(self, x: Any, parts: int, *, name: str) -> list[Any]:
        """Cuts the channels into equal parts.

        Raises:
            ValueError: fields would be cut; ask for the channels with `divisible_by`.
        """
        if x.shape[-1] % (self.symmetry.order * parts):
            raise ValueError(
                f'"{name}": {x.shape[-1]} channels cannot be split into {parts} parts of whole '
                f"fields of {self.symmetry}."
            )
        return list(keras.ops.split(x, parts, axis=-1))

    def stage(self, x: Any, name: str) -> Any:
        """Marks the output of a stage, by which features are taken and stages are trained.

        The mark is a layer that does nothing, `stage.<name>`, so that a saved model has it too.
        """
        return keras.layers.Identity(name=f"stage.{name}")(x)

    def adaptive_pool(self, x: Any, size: int | tuple[int, int], *, name: str) -> Any:
        """Resizes a map to `size` pixels, or (height, width), by means, as PyTorch does.

        Pixel i of m is the mean of those that it touches of the n that there are, from
        floor(i n / m) to ceil((i + 1) n / m), which is the same from either end. (Keras's own
        layer gives NaN with JAX from 3 to 7 pixels.)
        """
        sides = (size, size) if isinstance(size, int) else size
        for axis, new_pixels in enumerate(sides, start=1):
            pixels = x.shape[axis]
            if pixels == new_pixels:
                continue
            starts = [i * pixels // new_pixels for i in range(new_pixels)]
            lengths = [-(-(i + 1) * pixels // new_pixels) - starts[i] for i in range(new_pixels)]
            # Windows of different lengths are gathered alike, each pixel as often as it takes.
            taken = math.lcm(*lengths)
            windows = [
                [start + step * length // taken for step in range(taken)]
                for start, length in zip(starts, lengths, strict=True)
            ]
            x = keras.ops.mean(keras.ops.take(x, windows, axis=axis), axis=axis + 1)
        return keras.layers.Identity(name=name)(x)

    def global_pool(self, x: Any, *, name: str) -> Any:
        """The mean over the map, as a map of one pixel: the symmetry still acts on its channels."""
        return keras.layers.GlobalAveragePooling2D(keepdims=True, name=name)(x)
