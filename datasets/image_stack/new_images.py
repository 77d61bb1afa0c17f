"""Stacks of images that a trained network is to score."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from lensnet.data.files.image_stacks import ENDINGS, HDF5_ENDINGS, arrays_in
from lensnet.data.sources.source import Loaded
from lensnet.datasets.image_stack.contents import find_images
from lensnet.datasets.image_stack.stack_options import Options
from lensnet.datasets.image_stack.stack_source import StackSource
from lensnet.errors import DataError

__all__ = ["open_stack"]

_AT_ONCE = 4096
"""Images that are asked for together."""

_MOST_CHANNELS = 4
"""Of an array of three axes whose first or last is as short as that, it is taken for the bands."""


def open_stack(path: Path, options: Options, source_dir: Path | None) -> Iterator[Loaded] | None:
    """Loads the images of a stack, one after the other.

    The stack is called as in training, where it is an HDF5 file; it need not say any labels.

    Args:
        path: an HDF5 file, an .npy file of more than one image, or the folder that holds either.
        options: those of the training.
        source_dir: that of the training; not looked at.

    Returns:
        None for an image, or a folder of images.

    Raises:
        DataError: an HDF5 file holds no images, or cannot be read.
    """
    if path.is_dir():
        try:
            find_images(path, options)
        except DataError:
            return None
    elif not path.name.lower().endswith(HDF5_ENDINGS) and not _is_stack(path):
        return None
    found = options.unlabelled
    if path.name.lower().endswith(".npy"):
        found = found.model_copy(update={"images": None, "ids": None})
    return _loaded(StackSource(path, found, labelled=False))


def _is_stack(path: Path) -> bool:
    """Returns whether an .npy file holds many images, and not one."""
    if not path.name.lower().endswith(ENDINGS):
        return False
    try:
        (array,) = arrays_in(path)
    except DataError:  # said better where it is read as an image
        return False
    if len(array.shape) == 3:
        return min(array.shape[0], array.shape[-1]) > _MOST_CHANNELS
    return len(array.shape) == 4


def _loaded(source: StackSource) -> Iterator[Loaded]:
    examples = source.examples()
    while some := list(itertools.islice(examples, _AT_ONCE)):
        yield from source.load(some)
