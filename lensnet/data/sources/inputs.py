"""Images to predict on: files, folders and tables of any size, read ahead, a batch at a time."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lensnet.csv_tables import name_as_text
from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.band_pattern import BandPattern
from lensnet.data.files.decoding import image_ending
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.files.mosaics import split_hdu
from lensnet.data.sources.file_source import FileLoader
from lensnet.data.sources.folder_listing import (
    Example,
    group_bands,
    images_below,
)
from lensnet.data.sources.folder_remarks import unread_kinds
from lensnet.data.sources.source import FILLED, ORIENTATION, Loaded
from lensnet.errors import DataError

__all__ = ["Input", "OpenTable", "examples_of_names", "list_inputs", "read_inputs"]

_log = logging.getLogger(__name__)

OpenTable = Callable[[Path], Iterator[Loaded] | None]
"""Loads what a table of images names; None for what is not a table."""


@dataclass(frozen=True, eq=False)
class Input:
    """One image to predict on, or the reason why there is none.

    Args:
        id: its name: below a folder that was given, the path from there; else the file's own
            path; without band and ending.
        path: its file; of several bands the first, or the one that is bad. Where files of a folder
            are of no band, the folder.
        image: (H, W, C) float32, raw; None for a bad file.
        error: what is wrong with it; None for a good one.
        filled: how many of its pixels were gaps and have been filled.
        orientation: what its file says of how to turn it, 1 to 8, which nobody does; 1 for not.
    """

    id: str
    path: str
    image: np.ndarray | None = None
    error: BadFileError | None = None
    filled: int = 0
    orientation: int = 1


def read_inputs(
    inputs: Sequence[str | os.PathLike[str]],
    native_shape: tuple[int, int, int],
    *,
    batch_size: int = 64,
    reader: FileReader | None = None,
    open_table: OpenTable | None = None,
) -> Generator[list[Input], None, None]:
    """Yields batches of images, in a stable order, read ahead by threads.

    Memory does not grow with the number of images: folders are listed as they are come to, and no
    more than a few batches are held.

    Args:
        inputs: files, folders and tables; folders are searched for images, through all folders
            below.
        native_shape: (H, W, C) of the images that the network was trained on; any other shape is
            a bad file.
        batch_size: images in a batch, bad ones included; the last one may have fewer.
        reader: how files are read, as in training; see `FileReader.from_options`.
        open_table: loads the images that a table names, for runs that were trained by one.

    Raises:
        DataError: one of the inputs does not exist, or a folder holds no image.
    """
    how = reader or FileReader()
    paths = [Path(path).expanduser() for path in inputs]
    _check_there(paths)
    tables = [None if open_table is None else open_table(path) for path in paths]

    def from_files(files: Sequence[Path]) -> Iterator[Input]:
        examples = list_inputs(files, how)
        for loaded in FileLoader(how).load(examples, ahead=max(64, 2 * batch_size)):
            loaded = loaded.of_shape(native_shape, "the network takes")
            # Of several files the one that is bad.
            yield _input_of(loaded, loaded.error.path if loaded.error else loaded.file)

    def from_table(rows: Iterator[Loaded], table: Path) -> Iterator[Input]:
        for loaded in rows:
            file = loaded.error.path if loaded.error is not None else ";".join(loaded.example.files)
            yield _input_of(loaded.of_shape(native_shape, "the network takes"), file or str(table))

    def everything() -> Generator[Input, None, None]:
        files: list[Path] = []
        for path, rows in zip(paths, tables, strict=True):
            if rows is None:
                files.append(path)
                continue
            yield from from_files(files)
            files = []
            yield from from_table(rows, path)
        yield from from_files(files)

    with without_astropy_warnings(), contextlib.closing(everything()) as loading:
        while batch := list(itertools.islice(loading, batch_size)):
            yield batch


def _input_of(loaded: Loaded, file: str) -> Input:
    filled = int(loaded.metadata.get(FILLED, 0))
    orientation = int(loaded.metadata.get(ORIENTATION, 1))
    error = loaded.error and BadFileError(file, loaded.error.reason)
    return Input(loaded.example.id, file, loaded.image, error, filled, orientation)


def _check_there(paths: Iterable[Path]) -> None:
    for path in paths:
        if not os.path.lexists(split_hdu(str(path))[0]):
            raise DataError(f"There is no file or folder {path}.")


def list_inputs(
    inputs: Sequence[str | os.PathLike[str]], reader: FileReader | None = None
) -> Iterator[Example]:
    """Yields what there is to read in files and folders, in a stable order.

    Args:
        inputs: files and folders.
        reader: how files are read; with bands, the files of an object come together, and what is of
            none of the bands is one more example with a problem: the file, or its folder.

    Raises:
        DataError: one of the inputs does not exist, or a folder holds no image.
    """
    paths = [Path(path).expanduser() for path in inputs]
    _check_there(paths)
    bands = reader.bands if reader is not None else None
    # Files that stand next to each other are listed together: bands of one object among them.
    for is_folder, group in itertools.groupby(paths, key=_is_folder):
        if not is_folder:
            others: list[str] = []
            yield from _examples([path.as_posix() for path in group], bands, "", others)
            yield from _of_none(others, bands)
            continue
        for folder in group:
            found, left_out, example_of_them = False, 0, ""
            unread: Counter[str] = Counter()
            images = images_below(folder, unread)
            # Bands that lie apart come together only once all files are known.
            together = [list(images)] if bands is not None and bands.apart else None
            for names in together or _by_directory(images):
                others = []
                for example in _examples(names, bands, f"{folder.as_posix()}/", others):
                    found = True
                    yield example
                left_out += len(others)
                example_of_them = example_of_them or next(iter(others), "")
            if words := unread_kinds(folder, unread):
                _log.warning("%s", words)
            if found and left_out:
                problem = (
                    f"{left_out} image files in it, such as {name_as_text(example_of_them)}, are "
                    f"left out: they are {_of_no_band(bands)}"
                )
                name = name_as_text(folder.as_posix())
                yield Example(name, (folder.as_posix(),), problem=problem)
            if not found:
                wanted = f" of the bands {', '.join(bands.bands)}" if bands else ""
                raise DataError(f"The folder {folder} holds no image{wanted}.")


def examples_of_names(names: Iterable[str], bands: BandPattern | None) -> Iterator[Example]:
    """Yields what image files hold that are named one by one, whether or not they are there.

    Bands of an object must lie in one folder, and be named next to each other, unless each band
    has a folder of its own.

    Args:
        names: paths of the files, taken as they are needed.
        bands: how files are named where each band has one of its own; what is of none of the bands
            is an example with a problem.
    """
    if bands is None:
        yield from _examples(names, None, "", [])
        return
    for group in [list(names)] if bands.apart else _by_directory(names):
        others: list[str] = []
        yield from _examples(group, bands, "", others)
        yield from _of_none(others, bands)


def _of_none(names: Iterable[str], bands: BandPattern | None) -> Iterator[Example]:
    """Yields what belongs to none of the bands."""
    for name in names:
        yield Example(name_as_text(name), (name,), problem=f"it is {_of_no_band(bands)}")


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not image_ending(path.name)


def _by_directory(names: Iterable[str]) -> Iterator[list[str]]:
    """Groups the names of files by the directory that they lie in."""
    for _, group in itertools.groupby(names, key=lambda name: name.rpartition("/")[0]):
        yield list(group)


def _of_no_band(bands: BandPattern | None) -> str:
    if bands is None:
        raise ValueError("Without bands every image file is an image.")
    return f'of none of the bands {", ".join(bands.bands)} by the pattern "{bands.file_pattern}"'


def _examples(
    names: Iterable[str], bands: BandPattern | None, prefix: str, others: list[str]
) -> Iterator[Example]:
    """Yields what files listed together hold, the prefix being no part of their ids.

    What is of none of the bands is added to `others`.
    """
    if bands is not None:
        found, of_no_band = group_bands(list(names), bands)
        others += of_no_band
        for name, files, problem in found:
            yield Example(name_as_text(name), tuple(prefix + f for f in files), problem=problem)
        return
    for name in names:
        ending = image_ending(name) or ""
        yield Example(name_as_text(name[: len(name) - len(ending)]), (prefix + name,))
