"""Images in files that are named, and in folders of any size, listed as they are come to."""

from __future__ import annotations

import itertools
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lensnet.csv_tables import name_as_text
from lensnet.data.files.band_pattern import BandPattern
from lensnet.data.files.decoding import image_ending
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.mosaics import split_hdu
from lensnet.data.sources.folder_listing import (
    Example,
    group_bands,
    images_below,
)
from lensnet.data.sources.folder_remarks import unread_kinds
from lensnet.errors import DataError

__all__ = ["examples_of_names", "list_inputs"]

_log = logging.getLogger(__name__)


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
