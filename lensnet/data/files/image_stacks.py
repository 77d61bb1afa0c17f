"""Arrays that hold many images, or a value of each, in HDF5 and `.npy` files.

None is read whole, but for the arrays that hold one value an image.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.data.files.bad_file import first_words, reading
from lensnet.data.files.catalogue_rows import tidy_cell
from lensnet.errors import DataError, did_you_mean

__all__ = ["ENDINGS", "HDF5_ENDINGS", "ImageStack", "StoredArray", "arrays_in", "find_array"]

HDF5_ENDINGS = (".h5", ".hdf5", ".hdf")
ENDINGS = (*HDF5_ENDINGS, ".npy")
"""The endings of files that hold stacks, in lower case; case does not matter in a file's name."""

_WINDOW_BYTES = 2**28
"""Bytes of images that are put in order at a time where a file unpacks many of them at once."""


@dataclass(frozen=True)
class StoredArray:
    """An array of a file, which is not read.

    Args:
        path: the file.
        name: of a dataset of an HDF5 file, or of a field in one, as `dataset/field`; "" for the
            array of an .npy file.
        shape: its shape.
        dtype: of its elements.
        field: the field of the dataset; None for all of it.
        mask: name of the array that says which elements are masked; None where none does.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    field: str | None = None
    mask: str | None = None

    @property
    def words(self) -> str:
        """What it is, for messages: its name and shape."""
        return f"{self.name or self.path.name} {self.shape}"

    @property
    def dataset(self) -> str:
        """The dataset that it is, or is a field of."""
        return self.name if self.field is None else self.name[: -len(self.field) - 1]

    def open(self) -> ImageStack:
        """Returns what reads the images that the array holds."""
        return ImageStack(self)

    def read(self) -> np.ndarray:
        """Returns the whole array.

        Raises:
            DataError: it cannot be read.
        """
        with reading(f"The arrays in {self.path}"):
            if not _is_hdf5(self.path):
                return np.asarray(_mapped(self.path))
            with _hdf5(self.path) as file:
                found = file[self.dataset]
                return np.asarray(found[()] if self.field is None else found[self.field])

    def cells(self) -> list[str]:
        """Returns the text of each element, "" for one that is masked or not a number.

        A row of zeros with a single one, as a network takes a class, is the number of its place.

        Raises:
            DataError: there is not one value for each image, or it cannot be read.
        """
        values = self.read()
        if values.ndim > 2 and math.prod(values.shape[1:]) == 1:
            values = values.reshape(-1)
        if values.ndim == 2:
            values = values[:, 0] if values.shape[1] == 1 else _from_one_hot(values)
        if values.ndim != 1 or values.dtype.kind not in "SUObiuf":
            raise DataError(
                f"{self.path}: {self.words} of {self.dtype} does not say one number or word for "
                "each image."
            )
        cells = [_text(value) for value in values.tolist()]
        if self.mask is None:
            return cells
        masked = next(a for a in arrays_in(self.path) if a.name == self.mask).read()
        return ["" if hidden else cell for cell, hidden in zip(cells, masked, strict=True)]


def arrays_in(path: Path) -> list[StoredArray]:
    """Returns what arrays a file holds, none of them read.

    Raises:
        DataError: it cannot be read.
    """
    with reading(f"The arrays in {path}"):
        if not _is_hdf5(path):
            array = _mapped(path)
            return [StoredArray(path, "", array.shape, array.dtype)]
        found: list[StoredArray] = []

        def note(name: str, item: Any) -> None:
            shape = getattr(item, "shape", None)
            if not shape or name.endswith("__table_column_meta__"):
                return
            if item.dtype.names is None:
                found.append(StoredArray(path, name, shape, item.dtype))
            for field in item.dtype.names or ():
                base, below = item.dtype[field].base, item.dtype[field].shape
                mask = f"{name}/{field}.mask" if f"{field}.mask" in item.dtype.names else None
                whole = f"{name}/{field}"
                found.append(StoredArray(path, whole, (*shape, *below), base, field, mask))

        with _hdf5(path) as file:
            file.visititems(note)
        return found


def find_array(arrays: Sequence[StoredArray], name: str, option: str) -> StoredArray:
    """Returns the array of a name, whole or without what stands before its last slash.

    Raises:
        DataError: there is none, or more than one.
    """
    found = [array for array in arrays if array.name == name]
    found = found or [array for array in arrays if array.name.rpartition("/")[2] == name]
    if len(found) == 1:
        return found[0]
    path = arrays[0].path if arrays else ""
    names = [array.name for array in arrays]
    what = "more than one array" if found else "no array"
    raise DataError(
        f'{path} holds {what} "{name}".{did_you_mean(name, names)} It holds: '
        f"{', '.join(array.words for array in arrays)}. {option} says which one to take."
    )


class ImageStack:
    """The images of an array, opened when the first is asked for.

    Its methods may be called from several threads once it is open.

    Args:
        array: (N, ...), N images.
    """

    def __init__(self, array: StoredArray):
        self.array = array
        self._opened: tuple[Any, Any] | None = None

    @property
    def images_together(self) -> int:
        """How many images the file unpacks to give one of them; 1 for whichever is asked for."""
        chunks = getattr(self._source, "chunks", None)
        return 1 if chunks is None else int(chunks[0])

    def images(self, indices: Sequence[int]) -> Iterator[np.ndarray | ValueError]:
        """Yields images as they are stored, in the order asked for, or why one cannot be read.

        What the file unpacks together is read together.
        """
        together = self.images_together
        if together == 1:
            yield from map(self._image, indices)
            return
        size = math.prod(self.array.shape[1:]) * self.array.dtype.itemsize
        window = max(1, _WINDOW_BYTES // max(1, size))
        for start in range(0, len(indices), window):
            wanted = indices[start : start + window]
            found: dict[int, np.ndarray | ValueError] = {}
            by_chunk = itertools.groupby(sorted(set(wanted)), key=lambda index: index // together)
            for chunk, group in by_chunk:
                first = chunk * together
                try:
                    block = self._take(slice(first, first + together))
                except (OSError, ValueError, RuntimeError) as error:
                    bad = ValueError(f"cannot be read ({first_words(error)})")
                    found.update((index, bad) for index in group)
                else:
                    # A copy, for it must not keep its neighbours in memory.
                    found.update((index, block[index - first].copy()) for index in group)
            for index in wanted:
                yield found[index]

    def _image(self, index: int) -> np.ndarray | ValueError:
        """Returns a copy of an image, or why it cannot be read."""
        try:
            return self._take(index).copy()
        except (OSError, ValueError, RuntimeError) as error:
            return ValueError(f"cannot be read ({first_words(error)})")

    def close(self) -> None:
        """Closes the file; it is opened again when an image is asked for."""
        opened, self._opened = self._opened, None
        if opened is not None and opened[0] is not None:
            opened[0].close()

    @property
    def _source(self) -> Any:
        """What gives images when it is indexed."""
        if self._opened is None:
            with reading(f"The arrays in {self.array.path}"):
                if _is_hdf5(self.array.path):
                    import h5py

                    file = h5py.File(self.array.path, "r")
                    self._opened = (file, file[self.array.dataset])
                else:
                    self._opened = (None, _mapped(self.array.path))
        return self._opened[1]

    def _take(self, place: slice | int) -> np.ndarray:
        found = self._source[place]
        return np.asarray(found if self.array.field is None else found[self.array.field])


def _from_one_hot(values: np.ndarray) -> np.ndarray:
    """Returns the place of the one in each row; what are no such rows is returned as it is."""
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        return values
    return values.argmax(axis=1) if (values.sum(axis=1) == 1).all() else values


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return tidy_cell(value.decode("utf-8", "surrogateescape"))
    return tidy_cell(str(value))


def _is_hdf5(path: Path) -> bool:
    return path.name.lower().endswith(HDF5_ENDINGS)


def _mapped(path: Path) -> np.ndarray:
    """Returns the array of an .npy file without reading it; a pickle is refused."""
    # Indexing a plain array of the same memory takes half the time that a memmap takes.
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


@contextlib.contextmanager
def _hdf5(path: Path) -> Iterator[Any]:
    import h5py

    with h5py.File(path, "r") as file:
        yield file
