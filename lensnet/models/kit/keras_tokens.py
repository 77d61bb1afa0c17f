"""Tokens and attention by Keras's own layers, which no symmetry asks to be others."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import keras
from keras import ops

from lensnet.models.kit.token_interface import TokenKit

__all__ = ["KerasTokenKit"]


class KerasTokenKit(TokenKit):
    """What every kit of Keras layers does with a row of tokens, whatever the channels mean."""

    def tokens(self, x: Any, *, name: str) -> Any:
        return keras.layers.Reshape((1, x.shape[1] * x.shape[2], x.shape[-1]), name=name)(x)

    def token_map(self, x: Any, size: tuple[int, int], *, name: str) -> Any:
        return keras.layers.Reshape((*size, x.shape[-1]), name=name)(x)

    def crop_tokens(self, x: Any, first: int, count: int, *, name: str) -> Any:
        behind = x.shape[2] - first - count
        if not first and not behind:
            return x
        return keras.layers.Cropping2D(((0, 0), (first, behind)), name=name)(x)

    def join_tokens(self, rows: list[Any], *, name: str) -> Any:
        return keras.layers.Concatenate(axis=2, name=name)(rows) if len(rows) > 1 else rows[0]

    def pointwise(
        self, x: Any, channels: int, *, activation: str | None = None, name: str, **heads: int
    ) -> Any:
        layer = self._dense(channels, name=name, **heads)
        rows = layer(ops.reshape(x, (-1, x.shape[-1])))
        if activation is not None:
            rows = self._activation(activation, name=f"{name}.{activation}")(rows)
        return ops.reshape(rows, (-1, *x.shape[1:3], channels))

    @abstractmethod
    def _dense(self, channels: int, *, name: str, **heads: int) -> keras.layers.Layer:
        """A dense layer with a bias, of rows of channels; `heads` as of `pointwise`."""

    def _activation(self, activation: str, *, name: str) -> keras.layers.Layer:
        """A pointwise activation of rows."""
        return keras.layers.Activation(activation, name=name)

    def attention(self, x: Any, heads: int, *, bias: Any = None, name: str) -> Any:
        tokens, channels = x.shape[2], x.shape[-1] // 3
        size = channels // heads
        queries, keys, values = (
            ops.reshape(part, (-1, tokens, heads, size)) for part in ops.split(x, 3, axis=-1)
        )
        queries = ops.transpose(queries * size**-0.5, (0, 2, 1, 3))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 2, 3, 1)))
        if bias is not None:
            scores = scores + bias
        # In half precision, weights of single precision, as their sum is to be 1.
        precise = keras.backend.result_type(scores.dtype, "float32")
        weights = keras.layers.Softmax(dtype=precise, name=f"{name}.softmax")(scores)
        if weights.dtype != values.dtype:
            weights = ops.cast(weights, values.dtype)
        answers = ops.matmul(weights, ops.transpose(values, (0, 2, 1, 3)))
        answers = ops.transpose(answers, (0, 2, 1, 3))
        return ops.reshape(answers, (-1, 1, tokens, channels))
