"""Vectors of positions, resampled for another grid of tokens, as timm resamples them.

Bicubic with a = -0.5, and where the grid becomes coarser the cubic is as much wider (antialiasing):
`torch.nn.functional.interpolate(mode="bicubic", antialias=True)`, which is what Pillow does to
images. Vectors of class token and registers stay as they are. (timm 1.0, when it loads a
checkpoint for another size of image.)
"""

from __future__ import annotations

import logging
import math

import keras
import numpy as np

from lensnet.layers import FieldPositionEmbedding
from lensnet.layers.tokens.table import is_table
from lensnet.models.stages import stage_outputs

__all__ = ["POSITIONS", "fit_positions", "resample_grid"]

_log = logging.getLogger(__name__)

POSITIONS = "pos_embed"
"""The name of the layer that holds them, and of timm's parameter."""


def fit_positions(model: keras.Model, weights: list[np.ndarray]) -> list[np.ndarray]:
    """Fits another network's vectors of positions to a model's grid of tokens.

    Where their grid is another they are resampled, which is logged. Of a free function on a
    symmetric network's grid the function is resampled. Circular harmonics (c8) belong to a grid of
    one size, and stay as they are.

    Args:
        model: that takes them.
        weights: of the layer `POSITIONS` in the other.

    Returns:
        the weights for the model's layer; those given, where it has none or they cannot be fitted.
    """
    if not any(layer.name == POSITIONS for layer in model.layers):
        return weights
    size = next(iter(stage_outputs(model).values())).shape[1:3]
    fitted = _resampled(model.get_layer(POSITIONS), weights, size)
    if not np.array_equal(fitted[0], weights[0]):
        _log.info(
            "Weights of %s: the vectors of positions (%s) are resampled to a grid of %d x %d "
            "tokens (bicubic, antialiased).",
            model.name,
            POSITIONS,
            *size,
        )
    return fitted


def resample_grid(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resamples vectors on a grid, shape (height, width, channels), to another (height, width)."""
    rows, columns = (
        _cubic_weights(old, new) for old, new in zip(grid.shape[:2], size, strict=True)
    )
    resampled = np.einsum("yh,xw,hwc->yxc", rows, columns, grid.astype("float64"), optimize=True)
    return resampled.astype(grid.dtype)


def _resampled(
    layer: keras.Layer, weights: list[np.ndarray], size: tuple[int, int]
) -> list[np.ndarray]:
    """The weights of a layer of positions, resampled where it knows a way."""
    table, *prefix = weights
    if is_table(layer) and table.ndim == 3:
        resampled = _resample_table(table, layer.kernel.shape[1], size)
        return weights if resampled is None else [resampled]
    if isinstance(layer, FieldPositionEmbedding) and table.ndim == layer.kernel.ndim == 5:
        grid = resample_grid(table.reshape(*table.shape[:2], -1), size)
        return [grid.reshape(*size, *table.shape[2:]), *prefix]
    return weights


def _resample_table(table: np.ndarray, tokens: int, size: tuple[int, int]) -> np.ndarray | None:
    """Resamples the vectors of all tokens.

    Args:
        table: shape (1, prefix tokens + side * side, channels), of a square grid.
        tokens: how many there are to be.
        size: (height, width) of the new grid.

    Returns:
        table of shape (1, tokens, channels); None where the rows before the grid cannot be as many.
    """
    prefix = tokens - size[0] * size[1]
    side = math.isqrt(max(0, table.shape[1] - prefix))
    if prefix < 0 or side == 0 or prefix + side**2 != table.shape[1]:
        return None
    grid = resample_grid(table[0, prefix:].reshape(side, side, -1), size)
    grid = grid.reshape(1, size[0] * size[1], -1)
    return np.concatenate([table[:, :prefix], grid], axis=1)


def _cubic_weights(old: int, new: int) -> np.ndarray:
    """What each new point takes of each old one, shape (new, old)."""
    if old == new:
        return np.eye(old)
    scale = old / new
    stretch = max(scale, 1.0)
    centre = (np.arange(new)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(old) + 0.5 - centre) / stretch
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return weights / weights.sum(axis=1, keepdims=True)
