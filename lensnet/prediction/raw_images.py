"""What a `Predictor` is given, as one batch of raw images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.data.files.file_reader import FileReader
from lensnet.data.sources.file_source import FileLoader
from lensnet.data.sources.inputs import list_inputs
from lensnet.errors import DataError

__all__ = ["raw_batch"]

_NAMES = (str, os.PathLike)


def raw_batch(images: Any, native_shape: tuple[int, int, int], reader: FileReader) -> np.ndarray:
    """Returns one image, a batch, or the images of files as a batch (N, H, W, C).

    Args:
        images: (H, W, C) or (N, H, W, C), of one band also (H, W) or (N, H, W); or the name of an
            image file, or a list of such, the bands of an object beside each other.
        native_shape: (H, W, C) of an image.
        reader: how files are read.

    Raises:
        DataError: the shape is another, or a file is not there or no usable image.

    Example:

    >>> raw_batch(np.zeros((4, 4)), (4, 4, 1), FileReader()).shape
    (1, 4, 4, 1)
    """
    if isinstance(images, _NAMES):
        return _read([images], native_shape, reader)
    if isinstance(images, list | tuple) and images and all(isinstance(i, _NAMES) for i in images):
        return _read(images, native_shape, reader)
    try:
        array = np.asarray(images)
    except ValueError:
        raise DataError(f"{_taken(native_shape)}; got images of several shapes.") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"{_taken(native_shape)}; got {array.dtype} values.")
    for batch in _as_batches(array, native_shape):
        if batch.ndim == 4 and batch.shape[1:] == native_shape:
            return batch
    height, width, channels = native_shape
    hint = ""
    if array.shape[-3:] == (channels, height, width):
        hint = " Move the channels to the end: np.moveaxis(images, -3, -1)."
    raise DataError(f"{_taken(native_shape)}; got shape {array.shape}.{hint}")


def _as_batches(array: np.ndarray, native_shape: tuple[int, int, int]) -> Sequence[np.ndarray]:
    """The ways in which an array may be a batch, the plainest first."""
    ways = [array, array[np.newaxis]]
    if native_shape[2] == 1:
        ways += [array[..., np.newaxis], array[np.newaxis, ..., np.newaxis]]
    return ways


def _taken(native_shape: tuple[int, int, int]) -> str:
    height, width, channels = native_shape
    return (
        f"The network takes images of {height} x {width} pixels and {channels} "
        f"{'band' if channels == 1 else 'bands'}: one, shape {native_shape}, a batch of them, "
        f"shape (N, {height}, {width}, {channels}), or the name of a file"
    )


def _read(
    names: Sequence[str | os.PathLike[str]],
    native_shape: tuple[int, int, int],
    reader: FileReader,
) -> np.ndarray:
    for name in names:
        if Path(name).expanduser().is_dir():
            raise DataError(
                f"{name} is a folder; lensnet.prediction.score_files scores folders into a table."
            )
    found = []
    for loaded in FileLoader(reader).load(list_inputs(names, reader)):
        loaded = loaded.of_shape(native_shape, "the network takes")
        if loaded.image is None:
            raise loaded.error or DataError(f"{loaded.file} holds no image.")
        found.append(loaded.image)
    return np.stack(found)
