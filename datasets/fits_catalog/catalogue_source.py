"""The rows of a table as a source of examples."""

from __future__ import annotations

import functools
import itertools
import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from lensnet.csv_tables import name_as_text, name_from_text
from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.catalogues import Row, label_name, number_of, written
from lensnet.data.files.decoding import DecodedImage, image_ending, stack_bands
from lensnet.data.files.fits_files import HduName
from lensnet.data.files.mosaics import CutoutSize, Mosaic, opened, split_hdu
from lensnet.data.sources.file_source import FileSource
from lensnet.data.sources.folder_listing import Example, Listing, walk_images
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.source import Loaded, Shape
from lensnet.datasets.fits_catalog.options import (
    Options,
    check_columns,
    inspect,
    locate,
    opened_table,
)

__all__ = ["CatalogueSource"]

# Positions turned into pixels at a time: one alone takes a thousand times as long as one of many.
_PLACED_AT_ONCE = 1024


class CatalogueSource(FileSource):
    """Images that a table names, or says the positions of.

    Args:
        source_dir: the table, or the directory that holds it.
        options: which columns say what.
        labelled: whether the table says what is to be learned.

    Raises:
        DataError: the table or one of its columns is missing.
    """

    def __init__(self, source_dir: Path, options: Options, *, labelled: bool = True):
        table = locate(source_dir, options)
        root = table.parent if source_dir.is_file() else source_dir
        if not labelled:
            options = options.unlabelled
            check_columns(opened_table(table, options), options)
        classes = inspect(source_dir, options).classes if labelled else ()
        super().__init__(root, options, classes=classes)
        self.table = table
        self.options = options
        self._class_of = {label_name(name): name for name in self.classes}
        self.size = CutoutSize(options.size_pixels, options.size_arcsec)

    # --- listing ------------------------------------------------------------------------------

    def list(self) -> Listing:
        """Lists the rows of the table; see `Source`."""
        examples: dict[str, Example] = {}
        places: dict[str, str] = {}
        for row in opened_table(self.table, self.options).rows():
            name = self._id(row)
            problem = self._problem(row)
            if name in places:
                problem = f'the id "{name}" stands in {places[name]}, too'
                name = f"{name} ({row.place})"
            places[name] = row.place
            examples[name] = self._example(name, row, problem)
        return Listing(
            tuple(examples.values()),
            tuple(self._unnamed(name for example in examples.values() for name in example.files)),
            f"are named by no row of {self.table.name}",
        )

    def rows(self) -> Iterator[Example]:
        """Yields the rows of the table one by one, whether or not they share an id."""
        for row in opened_table(self.table, self.options).rows():
            yield self._example(self._id(row), row, self._problem(row))

    def named_files(self) -> Iterator[Sequence[Path]]:
        """Yields the files that each row names, and the mosaics; see `FileSource`."""
        for example in self.rows():
            names = self.options.mosaics or example.files
            yield [path for path, _ in self._parts(names)] if names else []

    def fingerprint_entries(self, listing: Listing) -> Iterator[str]:
        """Yields the name, size and time of the table, the mosaics, and each file."""
        yield str(self.root.resolve())
        yield self.fingerprint_entry(os.path.relpath(self.table, self.root))
        for name in self.options.mosaics or ():
            yield self.fingerprint_entry(split_hdu(name)[0])
        for example in listing.examples:
            for name in example.files:
                yield self.fingerprint_entry(split_hdu(name)[0])

    def _example(self, name: str, row: Row, problem: str | None) -> Example:
        options = self.options
        return Example(
            id=name_as_text(name),
            files=tuple(self._file(row.cell(name)) for name in options.files if row.cell(name)),
            label=self._class_of.get(label_name(row.cell(options.label_column))),
            target=_number(row.cell(options.target_column)),
            group=written(row.cell(options.group_column)),
            problem=problem and f"{row.place}: {problem}",
            position=self._position(row),
            metadata=self._numbers(row),
        )

    def _numbers(self, row: Row) -> tuple[tuple[str, float], ...]:
        """Returns the numbers of a row that are kept with its image."""
        known = ((name, _number(row.cell(name))) for name in self.options.number_columns or ())
        return tuple((name, number) for name, number in known if number is not None)

    def _file(self, cell: str) -> str:
        """Returns the name of a file, of which lensnet itself may have made a text in a table."""
        if "\\x" in cell and not os.path.exists(self.root / split_hdu(cell)[0]):
            return name_from_text(cell)
        return cell

    def _id(self, row: Row) -> str:
        options = self.options
        if options.id_column is not None:
            return row.cell(options.id_column) or row.place
        if options.files:
            path, hdu = split_hdu(self._file(row.cell(options.files[0])))
            stem = path[: len(path) - len(image_ending(path) or "")]
            return (stem if hdu is None else f"{stem}[{hdu}]") or row.place
        ra, dec = row.cell(options.ra_column), row.cell(options.dec_column)
        return f"{ra} {dec}" if ra and dec else row.place

    def _problem(self, row: Row) -> str | None:
        """Returns what is wrong with a row, the first of all that is."""
        options = self.options
        if row.problem is not None:
            return row.problem
        if options.id_column is not None and not row.cell(options.id_column):
            return "it has no id"
        for column in options.files:
            if not row.cell(column):
                return f'no file in the column "{column}"'
        if options.label_column is not None:
            label = row.cell(options.label_column)
            if not label:
                return "it has no label"
            if label_name(label) not in self._class_of:
                return f'its label is "{label}", none of {", ".join(self.classes)}'
        if options.target_column is not None:
            target = row.cell(options.target_column)
            if not target:
                return "it has no target"
            if reason := _not_a_number(target):
                return f"its target is {reason}"
        if options.group_column is not None and not row.cell(options.group_column):
            # Alone it might stand in another split than a copy of the same object.
            return "it has no group"
        return self._problem_of_position(row)

    def _problem_of_position(self, row: Row) -> str | None:
        if not self.options.cuts or self._position(row) is not None:
            return None
        ra, dec = row.cell(self.options.ra_column), row.cell(self.options.dec_column)
        if not ra or not dec:
            return "it has no position"
        reason = f'its position is "{ra}", "{dec}", not right ascension and declination in degrees'
        commas = "," in ra or "," in dec
        return f"{reason}: decimals stand behind a point, not a comma" if commas else reason

    def _position(self, row: Row) -> tuple[float, float] | None:
        if not self.options.cuts:
            return None
        ra = _number(row.cell(self.options.ra_column))
        dec = _number(row.cell(self.options.dec_column))
        return None if ra is None or dec is None or abs(dec) > 90 else (ra, dec)

    def _unnamed(self, files: Iterable[str]) -> Iterator[str]:
        """Yields the image files below the root that belong to no row."""
        named = {os.path.normpath(split_hdu(name)[0]) for name in files}
        named |= {os.path.normpath(split_hdu(name)[0]) for name in self.options.mosaics or ()}
        named.add(os.path.relpath(self.table, self.root))
        # What links lead to, such as a whole archive, is not searched for what nobody asked for.
        for name in walk_images(self.root, through_links=False):
            if os.path.normpath(name) not in named:
                yield name

    # --- reading ------------------------------------------------------------------------------

    def known_shape(self) -> Shape | None:
        """Returns the shape that the options say; see `Source`."""
        side = self.options.size_pixels
        if side is None:
            return None
        return side, side, len(self._parts(self.options.mosaics or self.options.files))

    def load(
        self, examples: Iterable[Example], *, ahead: int = 128
    ) -> Generator[Loaded, None, None]:
        """Loads examples, in order, several at a time; see `Source`."""
        if not self.options.mosaics:
            return super().load(examples, ahead=ahead)
        return read_ahead(
            lambda placed: self._cut_out(*placed), self._placed(examples), ahead=ahead
        )

    def read(self, example: Example) -> DecodedImage:
        """Returns the image of a row; see `FileLoader`."""
        parts = self._parts(example.files)
        if example.position is not None:
            return self._stacked(
                example, ((path, self._cut(path, hdu, example)) for path, hdu in parts)
            )
        paths, hdus = zip(*parts, strict=True)
        return self.reader.read(paths, hdus)

    def _parts(self, names: Sequence[str]) -> Sequence[tuple[Path, HduName | None]]:
        """Returns the file and the HDU of each band."""
        default = self.options.hdu
        if isinstance(default, list) and len(names) == 1:
            names = [names[0]] * len(default)
        parts: list[tuple[Path, HduName | None]] = []
        for place, name in enumerate(names):
            path, hdu = split_hdu(name)
            if hdu is None:
                hdu = default[place] if isinstance(default, list) else default
            parts.append((self.root / path, hdu))
        return parts

    def _cut(self, path: Path, hdu: HduName | None, example: Example) -> np.ndarray:
        """Returns the cutout of a row out of its own file."""
        ra, dec = example.position or (math.nan, math.nan)
        with opened(path, hdu) as image:
            ((x, y),) = image.pixels_of(np.array([ra]), np.array([dec]))
            return self._cut_at(image, x, y)

    @functools.cached_property
    def _mosaics(self) -> Sequence[Mosaic]:
        """The mosaics, opened once for all."""
        return [Mosaic(path, hdu) for path, hdu in self._parts(self.options.mosaics or ())]

    def close(self) -> None:
        """Closes the mosaics; they are opened again when they are needed."""
        for mosaic in self.__dict__.pop("_mosaics", ()):
            mosaic.close()

    def _placed(self, examples: Iterable[Example]) -> Iterator[tuple[Example, np.ndarray]]:
        """Yields each example and its place (x, y) in each of the mosaics."""
        remaining = iter(examples)
        while some := list(itertools.islice(remaining, _PLACED_AT_ONCE)):
            positions = np.array([e.position or (math.nan, math.nan) for e in some])
            known = np.flatnonzero(np.isfinite(positions[:, 0]))
            places = np.full((len(some), len(self._mosaics), 2), math.nan)
            for band, mosaic in enumerate(self._mosaics):
                if len(known):
                    places[known, band] = mosaic.pixels_of(*positions[known].T)
            yield from zip(some, places, strict=True)

    def _cut_out(self, example: Example, places: np.ndarray) -> Loaded:
        """Returns the cutout of an example out of the mosaics."""
        cutouts = (
            (mosaic.path, self._cut_at(mosaic, x, y))
            for mosaic, (x, y) in zip(self._mosaics, places, strict=True)
        )
        return self.load_one(example, lambda _: self._stacked(example, cutouts))

    def _cut_at(self, image: Mosaic, x: float, y: float) -> np.ndarray:
        try:
            return image.cut(x, y, self.size)
        except ValueError as error:
            raise BadFileError(image.path, str(error)) from None

    def _stacked(
        self, example: Example, cutouts: Iterable[tuple[Path, np.ndarray]]
    ) -> DecodedImage:
        """Makes an image of cutouts; where it cannot, says of which row, for files are shared."""
        try:
            return stack_bands(cutouts, max_nonfinite=self.reader.max_nonfinite)
        except BadFileError as error:
            raise BadFileError(error.path, f"{example.id}: {error.reason}") from None

    def __getstate__(self) -> dict[str, object]:
        """Leaves out the open files: a worker opens them for itself."""
        return {key: value for key, value in self.__dict__.items() if key != "_mosaics"}


def _number(cell: str) -> float | None:
    """Returns the finite number that a cell holds, or None."""
    try:
        return number_of(cell)
    except ValueError:
        return None


def _not_a_number(cell: str) -> str | None:
    """Returns why a cell holds no finite number, or None if it does."""
    try:
        number_of(cell)
    except ValueError as error:
        return str(error)
    return None
