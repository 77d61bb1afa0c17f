"""Columns of images in Parquet files: the bytes of pictures, or numbers in lists.

Neither a file nor one of its row groups is ever read whole.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lensnet.data.files.bad_file import first_words, reading
from lensnet.data.files.stored_images import StoredImage
from lensnet.data.tables.parquet_table import parquet_files
from lensnet.errors import DataError, did_you_mean

__all__ = ["ColumnImages", "ImageColumn", "find_image_column", "holds_images"]

_WINDOW_BYTES = 2**28
"""Bytes of images, unpacked, that are put in the order asked for at a time."""

_BATCH_BYTES = 2**24
"""Bytes of a row group that are unpacked at a time."""


@dataclass(frozen=True)
class ImageColumn:
    """A column of a Parquet file, or of a folder of them, which is not read.

    Args:
        path: the file or the folder.
        files: the files, in the order of their rows.
        name: the column.
        groups: the rows of each row group of each file.
        row_bytes: what a row takes when it is unpacked, on average.
        image_shape: the shape that is given to the numbers of a list; None where the lists, or the
            pictures, have their own.
    """

    path: Path
    files: tuple[Path, ...]
    name: str
    groups: tuple[tuple[int, ...], ...]
    row_bytes: int
    image_shape: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int]:
        """(N,) for N rows."""
        return (sum(map(sum, self.groups)),)

    @property
    def words(self) -> str:
        """What it is, for messages."""
        return f"{self.name} ({self.shape[0]} rows)"

    def open(self) -> ColumnImages:
        """Returns what reads the images."""
        return ColumnImages(self)


def find_image_column(
    path: Path, name: str | None, shape: Sequence[int] | None, usual: Sequence[str] = ()
) -> ImageColumn:
    """Returns the column of a table in which images lie, by the footers of its files.

    Args:
        path: the Parquet file, or a folder of them.
        name: the column; None for the one that is called as `usual`, or is the only one.
        shape: of the image that the numbers of a list are; None where the lists tell it.
        usual: names in lower case, the first that there is being taken.

    Raises:
        DataError: there is none, it is not clear which, or it holds no images.
    """
    files = tuple(parquet_files(path) if path.is_dir() else [path])
    if not files:
        raise DataError(f"The folder {path} holds no Parquet file.")
    footers = []
    for file in files:
        with reading(f"The table {file}"), pq.ParquetFile(file) as opened:
            footers.append((opened.metadata, opened.schema_arrow))
    chosen = _chosen(path, footers[0][1], name, usual)
    for file, (_, schema) in zip(files, footers, strict=True):
        _check(file, schema, chosen, shape)
    groups = tuple(
        tuple(footer.row_group(at).num_rows for at in range(footer.num_row_groups))
        for footer, _ in footers
    )
    rows = sum(map(sum, groups))
    size = sum(_column_bytes(footer, chosen) for footer, _ in footers)
    given = None if shape is None else tuple(shape)
    return ImageColumn(path, files, chosen, groups, max(1, size // max(1, rows)), given)


def holds_images(kind: pa.DataType) -> bool:
    """Returns whether a column of a type may hold images.

    They are the bytes of pictures, by themselves or as `bytes` of a structure, which is how the
    `Image` of Hugging Face's `datasets` lies in Parquet; or numbers in lists.

    >>> [holds_images(kind) for kind in (pa.binary(), pa.list_(pa.float32()), pa.float32())]
    [True, True, False]
    """
    return _is_picture(kind) or _axes(kind) > 0


def _is_picture(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    )


def _axes(kind: pa.DataType) -> int:
    """Returns how many axes the numbers in lists of a type have; 0 for what are no such lists."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return len(kind.shape) if _is_number(kind.value_type) else 0
    axes = 0
    while _is_list(kind):
        kind = kind.value_type
        axes += 1
    return axes if _is_number(kind) else 0


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def _chosen(path: Path, schema: pa.Schema, name: str | None, usual: Sequence[str]) -> str:
    if name is not None:
        return name
    found = [field.name for field in schema if holds_images(field.type)]
    for wanted in usual:
        named = [name for name in found if name.lower() == wanted]
        if len(named) == 1:
            return str(named[0])
    if len(found) != 1:
        raise DataError(
            f"{path} holds {len(found)} columns that could be the images"
            f"{': ' if found else ''}{', '.join(found)}. data.options.images says which one to "
            "take."
        )
    return str(found[0])


def _check(file: Path, schema: pa.Schema, name: str, shape: Sequence[int] | None) -> None:
    """Checks that a file has the column, and that it can be told what image its rows are."""
    if schema.names.count(name) != 1:
        raise DataError(
            f'{file} has {schema.names.count(name)} columns "{name}".'
            f"{did_you_mean(name, schema.names)} data.options.images is the name of one that all "
            "files of a table have."
        )
    kind = schema.field(name).type
    if not holds_images(kind):
        raise DataError(
            f'{file}: the column "{name}" of {kind} holds no images: bytes of pictures, or lists '
            "of numbers."
        )
    if _is_picture(kind) and shape is not None:
        raise DataError(
            f'{file}: the pictures in "{name}" tell their shape themselves: leave '
            "data.options.shape out."
        )
    if _axes(kind) == 1 and shape is None:
        raise DataError(
            f'{file}: the column "{name}" holds plain lists of numbers. data.options.shape says '
            "which image they are: [height, width], [bands, height, width] or [height, width, "
            "bands]."
        )


def _column_bytes(footer: Any, name: str) -> int:
    """Returns how many bytes a column has when it is unpacked."""
    found = 0
    for at in range(footer.num_row_groups):
        group = footer.row_group(at)
        for place in range(group.num_columns):
            column = group.column(place)
            if f"{column.path_in_schema}.".startswith(f"{name}."):
                found += column.total_uncompressed_size
    return found


@final
class ColumnImages:
    """The images of a column, read a row group at a time, and of that a few rows at a time.

    What is asked for in the order of the rows is read in one pass, over however many calls.

    Args:
        column: where they lie.
    """

    def __init__(self, column: ImageColumn):
        self.array = column
        self._groups = [
            (file, at)
            for file, groups in zip(column.files, column.groups, strict=True)
            for at in range(len(groups))
        ]
        rows = itertools.chain.from_iterable(column.groups)
        self._starts = [0, *itertools.accumulate(rows)]
        self._batch_rows = max(1, min(4096, _BATCH_BYTES // column.row_bytes))
        # The row group that is being read: its number, its batches, the last one and its first row.
        self._group = -1
        self._file: Any = None
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = ()
        self._first = 0
        # From which row on a row group cannot be read, and why.
        self._broken: dict[int, tuple[int, str]] = {}

    @property
    def images_together(self) -> int:
        """How many images are read together; never 1, for none is found by itself."""
        return max(2, self._batch_rows)

    def images(self, indices: Sequence[int]) -> Iterator[StoredImage]:
        """Yields images as they are stored, in the order asked for, or why one cannot be read."""
        window = max(1, _WINDOW_BYTES // self.array.row_bytes)
        for start in range(0, len(indices), window):
            wanted = indices[start : start + window]
            if all(one < other for one, other in itertools.pairwise(wanted)):
                # Nothing need be held where all come in their order.
                yield from map(self._image, wanted)
                continue
            found = {index: self._image(index) for index in sorted(set(wanted))}
            for index in wanted:
                yield found[index]
            # Before the next ones are read.
            found.clear()

    def close(self) -> None:
        """Closes the file; it is opened again when an image is asked for."""
        file, self._file = self._file, None
        self._group, self._batches, self._batch, self._first = -1, iter(()), (), 0
        if file is not None:
            file.close()

    def _image(self, index: int) -> StoredImage:
        group = bisect.bisect_right(self._starts, index) - 1
        row = index - self._starts[group]
        broken_from, reason = self._broken.get(group, (row + 1, ""))
        if row >= broken_from:
            return ValueError(reason)
        try:
            self._advance(group, row)
        except Exception as error:
            # Arrow's readers fail in many ways on damaged files.
            reason = f"cannot be read ({first_words(error)})"
            self._broken[group] = self._first, reason
            self.close()
            return ValueError(reason)
        try:
            return _stored(self._batch.slice(row - self._first, 1), self.array.image_shape)
        except (ValueError, pa.ArrowException) as error:
            return ValueError(first_words(error))

    def _advance(self, group: int, row: int) -> None:
        """Reads on to the batch of a row, from the beginning of its row group if need be."""
        if group != self._group or row < self._first:
            self.close()
            path, at = self._groups[group]
            self._file = pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
            self._batches = self._file.iter_batches(
                batch_size=self._batch_rows,
                row_groups=[at],
                columns=[self.array.name],
                use_threads=False,
            )
            self._group = group
        while row >= self._first + len(self._batch):
            self._first += len(self._batch)
            self._batch = ()
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError("its row group ends before it")
            self._batch = batch.column(0)


def _stored(one: Any, shape: tuple[int, ...] | None) -> np.ndarray | bytes:
    """Returns what lies in one row of a column.

    Args:
        one: that row, an array of length 1.
        shape: as of `ImageColumn`.

    Raises:
        ValueError: nothing does, or no image; the message is a reason for the quarantine.
    """
    if pa.types.is_struct(one.type):
        one = pc.struct_field(one, "bytes")
    if one.null_count:
        raise ValueError("there is no image in its row")
    if _is_bytes(one.type):
        return bytes(one[0].as_py())
    if isinstance(one.type, pa.FixedShapeTensorType):
        pixels = np.array(one.to_numpy_ndarray()[0])
        axes: Sequence[int] = pixels.shape
    else:
        axes, numbers = _flat(one)
        pixels = np.array(numbers.to_numpy(zero_copy_only=False))
    wanted = tuple(axes) if shape is None else shape
    if math.prod(wanted) != pixels.size:
        raise ValueError(
            f"it has {pixels.size} numbers, where an image of {wanted} has {math.prod(wanted)}"
        )
    return pixels.reshape(wanted)


def _flat(one: Any) -> tuple[list[int], Any]:
    """Returns the lengths of the lists in one row, from the outer to the inner, and the numbers.

    A number that is null is one that is not finite.
    """
    axes = []
    while _is_list(one.type):
        if one.null_count:
            raise ValueError("a line of it is null")
        if pa.types.is_fixed_size_list(one.type):
            axes.append(one.type.list_size)
        else:
            lengths = pc.unique(pc.list_value_length(one))
            if len(lengths) > 1:
                raise ValueError("its lines have different lengths")
            axes.append(lengths[0].as_py() if len(lengths) else 0)
        one = one.flatten()
    if pa.types.is_boolean(one.type):
        one = one.cast(pa.uint8())
    return axes, one
