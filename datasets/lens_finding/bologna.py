"""The files of the Bologna lens-finding challenge as a source of examples.

A file's name alone says which object and which band it shows; where it lies does not matter. What
`classifications.csv` knows beside the class is the truth of the simulation: it becomes metadata,
never a part of an image.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

from lensnet.config.dataset import SourceLayout
from lensnet.data.files.catalogues import Catalogue, Row, open_catalogue
from lensnet.data.sources.folder_listing import Example, Listing, group_bands, walk_images
from lensnet.data.sources.source import FileSource
from lensnet.datasets.lens_finding.challenge_options import CLASSES, ChallengeOptions
from lensnet.errors import DataError

__all__ = ["ChallengeSource", "inspect"]

_ID, _IS_LENS = "ID", "is_lens"
_LABELS = {"0": CLASSES[0], "1": CLASSES[1]}


class ChallengeSource(FileSource):
    """The images of the challenge and their classes.

    Args:
        root: the source directory.
        options: of one of the challenge's data sets.
    """

    def __init__(self, root: Path, options: ChallengeOptions):
        inspect(root, options)
        super().__init__(root, options, classes=CLASSES)
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
        table = _open(self.table)
        examples: dict[str, Example] = {}
        for row in table.rows():
            example = _example(row, files)
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

    def stamp(self, listing: Listing) -> Iterator[str]:
        """Yields what `FileSource` does, and the table."""
        yield self.stamp_of(self.table.relative_to(self.root).as_posix())
        yield from super().stamp(listing)


def inspect(source_dir: Path, options: ChallengeOptions) -> SourceLayout:
    """Checks that the directory holds the table of classes.

    Raises:
        DataError: it does not.
    """
    if not source_dir.is_dir():
        raise DataError(
            f"The data directory {source_dir} does not exist. data.source_dir is the directory "
            f"that holds the challenge's images and {options.classifications}."
        )
    if not (source_dir / options.classifications).is_file():
        raise DataError(
            f"{source_dir} holds no {options.classifications}. It says which images are lenses; "
            "data.options.classifications is its path from there."
        )
    _open(source_dir / options.classifications)
    return SourceLayout(CLASSES)


def _open(path: Path) -> Catalogue:
    table = open_catalogue(path)
    for column in (_ID, _IS_LENS):
        table.need(column, "The challenge's table")
    return table


def _example(row: Row, files: dict[str, tuple[tuple[str, ...], str | None]]) -> Example:
    name = row.cells.get(_ID, "")
    paths, problem = files.get(name, ((), f"{row.place}: there is no image of it"))
    label = _LABELS.get(row.cells.get(_IS_LENS, ""))
    if label is None:
        problem = f'{row.place}: is_lens is "{row.cells.get(_IS_LENS, "")}", not 0 or 1'
    if row.problem is not None:
        problem = f"{row.place}: {row.problem}"
    return Example(
        id=name or row.place, files=paths, label=label, problem=problem, metadata=_truth(row)
    )


def _truth(row: Row) -> tuple[tuple[str, float], ...]:
    """Returns the numbers of a row beside its ID and its class."""
    known = []
    for column, cell in row.cells.items():
        try:
            number = float(cell)
        except ValueError:
            continue
        if column not in (_ID, _IS_LENS) and math.isfinite(number):
            known.append((column, number))
    return tuple(known)
