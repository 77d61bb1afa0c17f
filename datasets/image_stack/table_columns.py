"""What is known of images in a column of a Parquet table: what its other columns say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from lensnet.data.files.catalogue_rows import tidy_cell
from lensnet.data.tables.image_columns import ImageColumn, find_image_column, holds_images
from lensnet.data.tables.parquet_table import ENDINGS, ParquetTable, parquet_files
from lensnet.datasets.image_stack.stack_options import Options
from lensnet.errors import DataError, did_you_mean

__all__ = ["IMAGES", "LABELS", "KnownOfColumn", "find_column", "is_parquet"]

IMAGES = ("x", "images", "image", "data")
LABELS = ("y", "labels", "label", "ans", "classes")
"""What people call arrays or columns, in lower case, the first that there is being taken."""


def is_parquet(path: Path) -> bool:
    """Returns whether a file is one of Parquet, or a folder holds any."""
    if path.is_dir():
        return bool(parquet_files(path))
    return path.name.lower().endswith(ENDINGS)


def find_column(path: Path, options: Options) -> ImageColumn:
    """Returns the column of the images.

    Raises:
        DataError: there is none, or it is not clear which it is.
    """
    if options.table is not None:
        raise DataError(
            f"{path} says what is known of its images in columns of its own: leave "
            "data.options.table out, and name them."
        )
    return find_image_column(path, options.images, options.shape, IMAGES)


class KnownOfColumn:
    """What is known of each image.

    Args:
        images: the column of the images.
    """

    def __init__(self, images: ImageColumn):
        self.images = images
        self.files = list(images.files)
        self.problems: dict[int, str] = {}
        self._table = ParquetTable.open(images.path)

    @property
    def choices(self) -> list[str]:
        """What could say something of each image, by name."""
        return [field.name for field in self._table.schema if not holds_images(field.type)]

    def cells(self, option: str, name: str | None) -> list[str] | None:
        """Returns what an option names as a text for each image; None for no name.

        Raises:
            DataError: there is no such column, or it has more than a value in a row.
        """
        if name is None:
            return None
        if name not in self._table.column_names:
            raise DataError(
                f'{self.images.path} has no column "{name}".{did_you_mean(name, self.choices)} '
                f"data.options.{option} is one of: {', '.join(self.choices) or 'none is there'}."
            )
        kind = self._table.schema.field(name).type
        if pa.types.is_nested(kind) or isinstance(kind, pa.ExtensionType):
            raise DataError(
                f'{self.images.path}: the column "{name}" of {kind}, which data.options.{option} '
                "names, does not say one number or word for each image."
            )
        found: list[str] = []
        for piece in self._table.pieces(columns=[name]):
            found += map(_text, piece.column(0).to_pylist())
        return found

    def usual_labels(self) -> list[str] | None:
        """Returns what is called as labels usually are; None if nothing is."""
        for wanted in LABELS:
            named = [name for name in self.choices if name.lower() == wanted]
            if len(named) == 1:
                return self.cells("labels", named[0])
        return None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return tidy_cell(value.decode("utf-8", "surrogateescape"))
    return tidy_cell(str(value))
