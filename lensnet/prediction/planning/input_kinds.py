"""What each input is: files, a folder, a stack, or a table."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet.config import Experiment
from lensnet.data.files.decoding import ENDINGS as IMAGES
from lensnet.data.files.decoding import image_ending, image_kind
from lensnet.data.files.fits_stacks import fits_content
from lensnet.data.files.image_stacks import HDF5_ENDINGS, StoredArray, arrays_in
from lensnet.data.files.mosaics import split_hdu
from lensnet.data.sources.folder_listing import walk_files
from lensnet.data.tables import ENDINGS as TABLES
from lensnet.data.tables import open_table
from lensnet.data.tables.image_columns import ImageColumn, holds_images
from lensnet.data.tables.parquet_table import ENDINGS as PARQUET
from lensnet.errors import DataError

__all__ = [
    "Files",
    "ImageList",
    "Stack",
    "TableInput",
    "check_inputs",
    "expand",
    "kinds_of",
    "stack_array",
]

Shape = tuple[int, int, int]

_LISTS = (".txt", ".lst", ".list")


@dataclass(frozen=True)
class Files:
    """Image files and folders of them."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class ImageList:
    """A text file that names an image file a line."""

    path: Path


@dataclass(frozen=True)
class Stack:
    """An array or a column of many images, or a folder in which the run's data set finds one."""

    path: Path


@dataclass(frozen=True)
class TableInput:
    """A table."""

    path: Path


Kind = Files | ImageList | Stack | TableInput


def expand(inputs: Sequence[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yields the inputs, and what there is of patterns; `@list.txt` is left as it is.

    Raises:
        DataError: there is no such file.
    """
    for given in inputs:
        text = os.path.expanduser(os.fspath(given))
        if text.startswith("@") and not os.path.lexists(text):
            if not os.path.isfile(text[1:]):
                raise DataError(f"There is no list {text[1:]}.")
            yield Path(text)
        elif os.path.lexists(split_hdu(text)[0]) and not glob.has_magic(split_hdu(text)[0]):
            yield Path(text)
        elif os.path.lexists(text):
            yield Path(text)
        elif glob.has_magic(text):
            found = sorted(glob.iglob(text, recursive=True))
            if not found:
                raise DataError(f'There is no file or folder of the pattern "{text}".')
            yield from map(Path, found)
        else:
            raise DataError(f"There is no file or folder {text}.")


def check_inputs(inputs: Sequence[str | os.PathLike[str]]) -> None:
    """Refuses inputs none of which holds images, before a model is loaded.

    What is bad among others is a row with its reason instead.

    Args:
        inputs: as of `plan`.

    Raises:
        DataError: one does not exist, or there is no image to be had from any.
    """
    first = None
    for path in expand(inputs):
        first = first or path
        name = split_hdu(path.name)[0]
        if path.is_dir() or str(path).startswith("@") or image_ending(name):
            return
        if name.lower().endswith((*TABLES, *HDF5_ENDINGS)):
            return
    raise DataError(
        f"{'Nothing' if first is None else first.name} is not an image. Name image files "
        f"({', '.join(IMAGES)}), folders of them, stacks (HDF5, .npy), tables "
        f"({', '.join(TABLES)}), or a list of files as @{first.name if first else 'list.txt'}."
    )


def kinds_of(
    experiment: Experiment, native_shape: Shape, inputs: Sequence[str | os.PathLike[str]]
) -> Iterator[Kind]:
    """Yields what the inputs are, files beside each other together.

    Args:
        experiment: the run's.
        native_shape: (H, W, C) of the images that the network takes.
        inputs: as of `plan`.

    Raises:
        DataError: one does not exist, or is none of what is known.
    """
    each = (_kind(experiment, native_shape, path) for path in expand(inputs))
    for is_files, group in itertools.groupby(each, key=lambda kind: isinstance(kind, Files)):
        if is_files:
            yield Files(tuple(path for kind in group for path in kind.paths))  # type: ignore[union-attr]
        else:
            yield from group


def _kind(experiment: Experiment, native_shape: Shape, path: Path) -> Kind:
    name = split_hdu(path.name)[0].lower()
    if str(path).startswith("@") and not os.path.lexists(path):
        return ImageList(Path(str(path)[1:]))
    if path.is_dir() and not image_ending(path.name):
        return _kind_of_folder(experiment, path)
    if name.endswith(HDF5_ENDINGS) or name.endswith(".npy") and _is_npy_stack(path, native_shape):
        return Stack(path)
    if image_kind(name) == ".fits":
        return _kind_of_fits(path, native_shape)
    if not image_ending(name) and name.endswith(TABLES):
        return Stack(path) if _has_images(path, experiment) else TableInput(path)
    if name.endswith(_LISTS):
        raise DataError(f"{path} is not an image. If it is a list of images, name it @{path}.")
    return Files((path,))


def _kind_of_folder(experiment: Experiment, path: Path) -> Kind:
    for name in walk_files(path):
        if image_ending(name):
            break
        if name.lower().endswith(PARQUET):
            return Stack(path) if _has_images(path, experiment) else TableInput(path)
    dataset, options = experiment.data.dataset, experiment.dataset_options
    if dataset == "image_stack":
        from lensnet.datasets.image_stack.contents import find_images

        try:
            find_images(path, options)
        except DataError:
            return Files((path,))
        return Stack(path)
    if dataset == "fits_catalog" and options.needs_table:  # type: ignore[attr-defined]
        from lensnet.datasets.fits_catalog.options import locate

        return TableInput(locate(path, options))  # type: ignore[arg-type]
    return Files((path,))


def _kind_of_fits(path: Path, native_shape: Shape) -> Kind:
    """Returns what a FITS file is: an image if it holds one, else a table if it holds one."""
    file, hdu = split_hdu(str(path))
    shape, has_table = fits_content(Path(file), hdu)
    if shape is None:
        return TableInput(path) if has_table and hdu is None else Files((path,))
    return Stack(path) if _is_stack(shape, native_shape) else Files((path,))


def _has_images(path: Path, experiment: Experiment) -> bool:
    """Returns whether a table holds the images themselves.

    They are in the column that the run was trained on, or in one that is called as images usually
    are.
    """
    from lensnet.datasets.image_stack.table_columns import IMAGES, find_column, is_parquet

    if not is_parquet(path):
        return False
    dataset, options = experiment.data.dataset, experiment.dataset_options
    try:
        if dataset == "image_stack":
            return bool(find_column(path, options.unlabelled).name)  # type: ignore[attr-defined]
        schema = open_table(path).schema
    except DataError:  # said better where it is read as a table
        return False
    return any(field.name.lower() in IMAGES and holds_images(field.type) for field in schema)


def _is_npy_stack(path: Path, native_shape: Shape) -> bool:
    try:
        (array,) = arrays_in(path)
    except DataError:  # said better where it is read as an image
        return False
    return array.dtype.kind in "buif" and _is_stack(array.shape, native_shape)


def _is_stack(shape: Sequence[int], native_shape: Shape) -> bool:
    """Returns whether an array holds many images, and not one."""
    shape = tuple(shape)
    if len(shape) == 4:
        return True
    if len(shape) != 3:
        return False
    height, width, channels = native_shape
    if shape in (native_shape, (channels, height, width)):
        return False
    if channels == 1 and shape[1:] == (height, width):
        return True
    # As image_stack tells them, of whatever shape: of one image the bands are few.
    return min(shape[0], shape[2]) > 4


def stack_array(
    path: Path, experiment: Experiment
) -> tuple[StoredArray | ImageColumn, Sequence[str] | None]:
    """Returns the images of a stack and their ids; None where they are known by their numbers.

    Raises:
        DataError: it holds no images, or it is not clear which they are.
    """
    from lensnet.datasets.image_stack.contents import contents_of
    from lensnet.datasets.image_stack.stack_options import Options

    dataset, trained = experiment.data.dataset, experiment.dataset_options
    options: Any = trained if dataset == "image_stack" else Options()
    options = options.unlabelled
    if path.name.lower().endswith(".npy"):
        options = options.model_copy(update={"images": None, "ids": None, "shape": None})
    elif path.name.lower().endswith(HDF5_ENDINGS):
        options = options.model_copy(update={"shape": None})
    contents = contents_of(path, options, labelled=False)
    return contents.images, contents.ids
