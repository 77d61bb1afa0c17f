"""What `data.options` may hold for a catalogue of images, and what such a catalogue offers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from lensnet.config.dataset import DatasetSpec, FileOptions, HduOrList, SourceLayout
from lensnet.errors import DataError

if TYPE_CHECKING:
    from lensnet.data.files.catalogues import Catalogue

__all__ = ["SPECS", "Options", "check_columns", "inspect", "locate", "opened_table"]


class Options(FileOptions):
    """Options of `fits_catalog`."""

    catalogue: str | None = Field(
        None,
        description="The table, CSV or FITS, below source_dir. Default: the only .csv or .tsv file "
        "there; "
        "source_dir may also be the table itself.",
    )
    id_column: str | None = Field(
        None,
        description="Column of the ids, which no two rows may share. Default: the name of the "
        "(first) file without its ending, or right ascension and declination.",
    )
    label_column: str | None = Field(None, description="Column of the classes.")
    classes: list[str] | None = Field(
        None,
        min_length=1,
        description="Classes in label order; for a binary task the second is the positive one. A "
        "row of any other class is bad. Default: all that there are, by name.",
    )
    target_column: str | None = Field(
        None, description="Column of the numbers that a regression predicts, instead of a label."
    )
    group_column: str | None = Field(
        None,
        description="Column that is the same in rows which must share a split. A row without a "
        "value there is bad.",
    )
    number_columns: list[str] | None = Field(
        None,
        min_length=1,
        description="Columns of numbers that are kept with each image under their names, to weigh "
        "it by (data.example_weights) or to sort results by. An empty cell says nothing.",
    )
    file_columns: list[str] | None = Field(
        None,
        min_length=1,
        description="Columns of the files, one for each band, in the order of the channels. A file "
        'is named from the table on, and may carry its HDU: "J0029.fits[SCI]". Default: file.',
    )
    hdu: HduOrList | None = Field(
        None,
        description="Number or name of the FITS extension of files that carry none; a list where "
        "one file holds a band in each, or where the bands' files differ. Default: the first that "
        "holds an image.",
    )
    mosaics: list[str] | None = Field(
        None,
        min_length=1,
        description="FITS images with WCS that all rows are cut out of, one for each band, instead "
        "of file_columns.",
    )
    ra_column: str = Field("ra", description="Column of the right ascension (ICRS) in degrees.")
    dec_column: str = Field("dec", description="Column of the declination in degrees.")
    size_pixels: int | None = Field(
        None,
        ge=4,
        le=4096,
        description="Pixels a side to cut out around ra and dec, out of the mosaics or out of each "
        "row's files. Default: the files as they are.",
    )
    size_arcsec: float | None = Field(
        None, gt=0, description="The same in arcseconds, to the nearest pixel."
    )

    @model_validator(mode="after")
    def _one_of_each_two(self) -> Options:
        for one, other in (
            ("label_column", "target_column"),
            ("file_columns", "mosaics"),
            ("size_pixels", "size_arcsec"),
        ):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"give {one} or {other}, not both")
        if self.classes is not None and self.target_column is not None:
            raise ValueError("give classes or target_column, not both")
        if self.mosaics and not self.cuts:
            raise ValueError("mosaics need size_pixels or size_arcsec")
        return self

    @model_validator(mode="after")
    def _an_extension_for_each_band(self) -> Options:
        files = len(self.mosaics or self.files)
        if isinstance(self.hdu, list) and files not in (1, len(self.hdu)):
            raise ValueError(f"hdu lists {len(self.hdu)} extensions, and there are {files} bands")
        return self

    @property
    def cuts(self) -> bool:
        """Whether images are cut out around right ascension and declination."""
        return self.size_pixels is not None or self.size_arcsec is not None

    @property
    def unlabelled(self) -> Options:
        """The same for a table that does not say what is to be learned."""
        unknown = ("label_column", "classes", "target_column", "group_column", "number_columns")
        return self.model_copy(update=dict.fromkeys(unknown))

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns that a table must have, each with the option that names it."""
        named = {
            "id_column": self.id_column,
            "label_column": self.label_column,
            "target_column": self.target_column,
            "group_column": self.group_column,
            "ra_column": self.ra_column if self.cuts else None,
            "dec_column": self.dec_column if self.cuts else None,
        }
        found = [(option, name) for option, name in named.items() if name is not None]
        numbers = [("number_columns", name) for name in self.number_columns or ()]
        return [*found, *numbers, *(("file_columns", name) for name in self.files)]

    @property
    def needs_table(self) -> bool:
        """Whether an image is more than one whole file, so that only a table can say what it is."""
        return self.cuts or len(self.files) > 1

    @property
    def files(self) -> list[str]:
        """The columns of the files."""
        return self.file_columns or ([] if self.mosaics else ["file"])


def locate(source_dir: Path, options: Options) -> Path:
    """Returns the path of the table.

    Raises:
        DataError: it is not there, or it is not clear which file it is.
    """
    if not source_dir.exists():
        raise DataError(
            f"The data directory {source_dir} does not exist. data.source_dir is the table, or "
            "the directory that holds it."
        )
    if source_dir.is_file():
        return source_dir
    if options.catalogue is not None:
        path = source_dir / options.catalogue
        if not path.is_file():
            raise DataError(f"{source_dir} holds no file {options.catalogue}, the catalogue.")
        return path
    tables = sorted(p for p in source_dir.iterdir() if p.suffix.lower() in (".csv", ".tsv"))
    if len(tables) != 1:
        named = f": {', '.join(path.name for path in tables)}" if tables else ""
        raise DataError(
            f"{source_dir} holds {len(tables)} .csv or .tsv files{named}. "
            "data.options.catalogue says which table to take."
        )
    return tables[0]


def inspect(source_dir: Path, options: Options) -> SourceLayout:
    """Finds the classes of a catalogue by reading it, and none of the images.

    Raises:
        DataError: there is no such catalogue, it lacks a column, or no column says what to learn.
    """
    from lensnet.data.files.catalogues import label_name

    table = opened_table(locate(source_dir, options), options)
    column = options.label_column or options.target_column
    if column is None:
        raise DataError(
            f"What is to be learned from {table.path}? Set data.options.label_column or "
            f"target_column to one of its columns: {', '.join(filter(None, table.columns))}."
        )
    check_columns(table, options)
    if options.label_column is None:
        return SourceLayout(())
    if options.classes is not None:
        return SourceLayout(tuple(options.classes))
    labels: set[str] = set()
    fault = ""
    for row in table.rows():
        if row.problem is None:
            labels.add(label_name(row.cell(options.label_column)))
        elif not fault:
            fault = f" Of other rows the first fault is: {row.place}: {row.problem}."
    classes = tuple(sorted(labels - {""}))
    if not classes:
        raise DataError(
            f'The column "{options.label_column}" of {table.path} holds no label.{fault}'
        )
    return SourceLayout(classes)


def check_columns(table: Catalogue, options: Options) -> None:
    """Checks that a table has the columns that the options name.

    Raises:
        DataError: it lacks one.
    """
    for option, name in options.columns:
        table.need(name, f"data.options.{option}")


def opened_table(path: Path, options: Options) -> Catalogue:
    """Opens a table which should have the columns that the options name.

    Raises:
        DataError: it is not a table.
    """
    from lensnet.data.files.catalogues import open_catalogue

    return open_catalogue(path, [name for _, name in options.columns])


SPECS = (
    DatasetSpec(
        name="fits_catalog",
        summary="Your own images, named in a table or cut out of mosaics by RA and Dec.",
        source="lensnet.datasets.fits_catalog.catalogue_source:CatalogueSource",
        options=Options,
        offers=("classes", "targets"),
        inspect=inspect,
    ),
)
