"""The files of the Bologna lens-finding challenges as a source of examples.

A file's name alone says which object and which band it shows; where it lies does not matter. What
the table knows beside the class is the truth of the simulation: it becomes metadata, never a part
of an image.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

from lensnet.data.files.catalogues import Row, label_name, number_of
from lensnet.data.sources.file_source import FileSource
from lensnet.data.sources.folder_listing import Example, Listing, group_bands, walk_images
from lensnet.datasets.lens_finding.options import (
    CLASS_COLUMN,
    CLASSES,
    ID_COLUMN,
    LENS_COLUMNS,
    ChallengeOptions,
    EuclidOptions,
    inspect_challenge,
    open_classifications,
)
from lensnet.errors import DataError

__all__ = ["ChallengeSource"]

_LABELS = {"0": CLASSES[0], "1": CLASSES[1]}


class ChallengeSource(FileSource):
    """The images of a challenge and their classes.

    Args:
        root: the source directory.
        options: of one of the challenges' data sets.
    """

    def __init__(self, root: Path, options: ChallengeOptions | EuclidOptions):
        inspect_challenge(root, options)
        super().__init__(root, options, classes=CLASSES)
        self.options = options
        self.table = root / options.classifications

    def list(self) -> Listing:
        """Lists the rows of the table; see `Source`.

        Raises:
            DataError: there is no image of the bands, or the table cannot be read.
        """
        bands = self.reader.bands
        if bands is None:
            raise ValueError("The options of the challenge name no bands.")
        found, others = group_bands(list(walk_images(self.root)), bands)
        if not found:
            raise DataError(
                f"{self.root} holds no files named like "
                f'"{bands.file_pattern.format(band=bands.bands[0], id="100000")}.fits".'
            )
        files = {name: (paths, problem) for name, paths, problem in found}
        table = open_classifications(self.table, self.options.columns)
        examples: dict[str, Example] = {}
        for row in table.rows():
            example = self._example(row, files)
            if example.id in examples:
                problem = f'{row.place}: the ID "{example.id}" stands in a row above, too'
                example = dataclasses.replace(
                    example, id=f"{example.id} ({row.place})", problem=problem
                )
            examples[example.id] = example
        for name in files.keys() - examples.keys():
            others += files[name][0]
        return Listing(
            tuple(examples.values()),
            tuple(sorted(others)),
            f"are of other bands, or of no row of {self.table.name}",
        )

    def _example(self, row: Row, files: dict[str, tuple[tuple[str, ...], str | None]]) -> Example:
        name, label = label_name(row.cell(ID_COLUMN)), None
        paths, problem = files.get(name, ((), f"{row.place}: there is no image of it"))
        try:
            if isinstance(self.options, EuclidOptions):
                label = _label_by_truth(row, self.options)
            else:
                label = _label(row)
        except ValueError as error:
            problem = f"{row.place}: {error}"
        if not name:
            problem = f"{row.place}: it has no {ID_COLUMN}"
        if row.problem is not None:
            problem = f"{row.place}: {row.problem}"
        return Example(
            id=name or row.place, files=paths, label=label, problem=problem, metadata=_truth(row)
        )

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields what `FileSource` does, and the table."""
        yield self.fingerprint_entry(self.table.relative_to(self.root).as_posix())
        yield from super().fingerprint_entries(listing)


def _label(row: Row) -> str:
    """Returns the class that a row of the first challenge says.

    Raises:
        ValueError: it says none; the message is a reason for the quarantine.
    """
    label = _LABELS.get(label_name(row.cell(CLASS_COLUMN)))
    if label is None:
        raise ValueError(f'is_lens is "{row.cell(CLASS_COLUMN)}", not 0 or 1')
    return label


def _label_by_truth(row: Row, options: EuclidOptions) -> str:
    """Returns the class of a row of the second challenge, whose table has no column for it.

    A lens has an image of its source, of more than so many pixels, magnified by more than so much.
    What is empty, such as the magnification where there is no source, is none of that.

    Raises:
        ValueError: a cell is not a number; the message is a reason for the quarantine.
    """
    numbers = []
    for column in LENS_COLUMNS:
        cell = row.cell(column)
        try:
            numbers.append(number_of(cell) if cell else math.nan)
        except ValueError as error:
            raise ValueError(f"{column} is {error}") from None
    images, magnification, pixels = numbers
    is_lens = (
        images > 0
        and magnification > options.magnification_above
        and pixels > options.source_pixels_above
    )
    return CLASSES[int(is_lens)]


def _truth(row: Row) -> tuple[tuple[str, float], ...]:
    """Returns the numbers of a row beside its ID and its class."""
    known = []
    for column, cell in row.cells.items():
        try:
            number = float(cell)
        except ValueError:
            continue
        if column not in ("", ID_COLUMN, CLASS_COLUMN) and math.isfinite(number):
            known.append((column, number))
    return tuple(known)
