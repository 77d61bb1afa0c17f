"""Where a scale and an offset of channels can go: into the linear layers that made the channels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

__all__ = ["LINEAR_LAYERS", "LinearPart", "LinearParts"]

_DEPTHWISE_LAYERS: tuple[type, ...] = (
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)

LINEAR_LAYERS: tuple[type, ...] = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Dense,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
    *_DEPTHWISE_LAYERS,
)
"""Stock layers whose last weights are a kernel, filters last, and a bias."""


@dataclass(frozen=True)
class LinearPart:
    """A stock layer that makes some of a tensor's channels.

    Args:
        layer: one of `LINEAR_LAYERS`, built, with a bias and no activation.
        channels: where the layer's output channels stand in the tensor, shape (filters,).
    """

    layer: keras.Layer
    channels: np.ndarray

    @property
    def is_depthwise(self) -> bool:
        """Whether an output channel sees one input channel alone."""
        return isinstance(self.layer, _DEPTHWISE_LAYERS)

    def transform(self, scale: np.ndarray, offset: np.ndarray) -> None:
        """Makes the layer's output `scale * output + offset`, given for the tensor's channels."""
        *others, kernel, bias = self.layer.get_weights()
        scale, offset = scale[self.channels], offset[self.channels]
        by_filter = scale.reshape(kernel.shape[-2:]) if self.is_depthwise else scale
        self.layer.set_weights([*others, kernel * by_filter, bias * scale + offset])

    def reorder(self, permutation: np.ndarray) -> None:
        """Makes the layer's output channel c what its channel `permutation[c]` is."""
        *others, kernel, bias = self.layer.get_weights()
        self.layer.set_weights([*others, kernel[..., permutation], bias[permutation]])


@dataclass(frozen=True)
class LinearParts:
    """The stock layers that made a tensor which nothing but the layer to come sees.

    Args:
        parts: together they make every channel.
        requires_nonnegative_scale: whether several parts make a channel and the largest value
            counts: a negative scale would make it the smallest.
    """

    parts: tuple[LinearPart, ...]
    requires_nonnegative_scale: bool = False

    @classmethod
    def of(cls, layer: keras.Layer, channels: int) -> LinearParts:
        """Those of a tensor that one layer made."""
        return cls((LinearPart(layer, np.arange(channels)),))

    @classmethod
    def of_maximum(cls, branches: Iterable[LinearParts]) -> LinearParts:
        """Those of the maximum of several tensors."""
        parts = tuple(part for branch in branches for part in branch.parts)
        return cls(parts, requires_nonnegative_scale=True)

    @classmethod
    def of_concatenation(cls, members: Iterable[tuple[LinearParts, int]]) -> LinearParts:
        """Those of several tensors concatenated, each given with its number of channels."""
        parts, first, nonnegative = [], 0, False
        for member, channels in members:
            parts += [LinearPart(part.layer, part.channels + first) for part in member.parts]
            first += channels
            nonnegative = nonnegative or member.requires_nonnegative_scale
        return cls(tuple(parts), nonnegative)

    def permuted(self, permutation: np.ndarray) -> LinearParts:
        """Those of the tensor whose channel c is channel `permutation[c]` of this one."""
        place = np.argsort(permutation)
        parts = tuple(LinearPart(part.layer, place[part.channels]) for part in self.parts)
        return LinearParts(parts, self.requires_nonnegative_scale)

    def transform(self, scale: np.ndarray, offset: np.ndarray) -> bool:
        """Makes the tensor `scale * tensor + offset`, if the layers can. Returns whether."""
        if self.requires_nonnegative_scale and (scale < 0).any():
            return False
        for part in self.parts:
            part.transform(scale, offset)
        return True

    def reorder(self, permutation: np.ndarray) -> bool:
        """Makes channel c of the tensor its channel `permutation[c]`, if the layers can.

        They can if each makes all channels in their order, of its own choice: the channels of a
        depthwise layer stand where those of its input stand.
        """
        in_order = np.arange(permutation.size)
        for part in self.parts:
            if part.is_depthwise or not np.array_equal(part.channels, in_order):
                return False
        for part in self.parts:
            part.reorder(permutation)
        return True
