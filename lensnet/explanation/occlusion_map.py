"""Occlusion: how far an answer falls where a part of the image is covered.

Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2. Parts are covered with the median of their
band, which in a cutout is the sky. Their places are laid out symmetrically, so that the map of an
invariant network rotates with the image.
"""

from __future__ import annotations

import keras
import numpy as np

from lensnet.explanation.answers import Answer
from lensnet.layers import GroupAveraged

__all__ = ["occlusion"]

_BATCH = 64


def occlusion(
    model: keras.Model, images: np.ndarray, chosen: np.ndarray | None = None, cells: int = 12
) -> np.ndarray:
    """Returns how far the answer falls where a cell of the image and what is around it are covered.

    What is covered is the cell and half of one on each side. Each cell takes an answer of the
    network. That of an invariant network rotates with the image to the rounding of its answers, of
    which these are differences.

    Args:
        model: as a run saves it.
        images: as the model takes them, (N, H, W, C).
        chosen: the class of each whose logit is explained, (N,); None for the first output.
        cells: along the image, at most; one fewer where its size is odd and this is even, or the
            other way about.

    Returns:
        (N, rows, columns) of cells, in units of the answer; below 0 where it rises.

    Raises:
        ConfigurationError: the model has no head.

    Example:

    >>> from lensnet.models import create
    >>> model = create("lens_cnn", input_shape=(64, 64, 1), num_outputs=2, width=0.125)
    >>> occlusion(model, np.zeros((1, 64, 64, 1), "float32"), np.array([1]), cells=2).shape
    (1, 2, 2)
    """
    answer = Answer(model, chosen)
    network = keras.Model(answer.inner.input, answer.tensor)
    if isinstance(model, GroupAveraged):
        network = GroupAveraged(network, model.group)
    rows, columns = (_edges(size, cells) for size in images.shape[1:3])
    found = []
    for number, image in enumerate(np.asarray(images, np.float32)):
        covered = [image]
        sky = np.median(image, axis=(0, 1))
        for top, bottom in _parts(rows):
            for left, right in _parts(columns):
                copy = image.copy()
                copy[top:bottom, left:right] = sky
                covered.append(copy)
        answers = np.concatenate(
            [
                network.predict_on_batch(np.stack(covered[at : at + _BATCH]))
                for at in range(0, len(covered), _BATCH)
            ]
        )
        which = np.full(len(answers), number)
        values = np.asarray(keras.ops.convert_to_numpy(answer.of(answers, which)))
        found.append((values[0] - values[1:]).reshape(len(rows) - 1, len(columns) - 1))
    return np.stack(found)


def _edges(size: int, cells: int) -> np.ndarray:
    """Returns the edges of at most so many cells, which lie the same from either end."""
    number = max(1, min(cells, size // 2))
    # Of an even number one edge is the middle, which an odd size has not.
    if size % 2 and number % 2 == 0:
        number -= 1
    half = np.arange(number // 2 + 1) * size // number
    mirrored = size - half[::-1]
    edges = np.unique(np.concatenate([half, mirrored]))
    return np.asarray(edges, np.int64)


def _parts(edges: np.ndarray) -> list[tuple[int, int]]:
    """Returns where each part begins and ends: a cell and half of one on each side."""
    around = max(1, int(edges[1] - edges[0]) // 2)
    size = int(edges[-1])
    return [
        (max(0, int(one) - around), min(size, int(other) + around))
        for one, other in zip(edges[:-1], edges[1:], strict=True)
    ]
