"""Tables of images that a trained network is to score."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from lensnet.data.files.catalogues import ENDINGS, TEXT_ENDINGS
from lensnet.data.files.mosaics import split_hdu
from lensnet.data.sources.source import Loaded
from lensnet.datasets.fits_catalog.catalogue_source import CatalogueSource
from lensnet.datasets.fits_catalog.options import Options, check_columns, locate, opened_table
from lensnet.errors import DataError

__all__ = ["open_table"]

_AT_ONCE = 1024
"""Rows that are held."""


def open_table(path: Path, options: Options, source_dir: Path | None) -> Iterator[Loaded] | None:
    """Loads the images that a table names, or says the positions of, a row after the other.

    The table needs the columns of the files, or of right ascension and declination, that the
    training table had, and the id's; no label or target. Files are named from the table on.
    Mosaics are looked for beside the table, and else where they were in training.

    Args:
        path: the table; where a network takes more than one file an image, or cutouts, also the
            folder that holds it.
        options: those of the training.
        source_dir: that of the training.

    Returns:
        None for an image, or a folder of images.

    Raises:
        DataError: the network takes what only a table can say, and this is none; or the table
            lacks a column, or a mosaic is missing.
    """
    if path.is_dir() or not path.name.lower().endswith(ENDINGS):
        if options.needs_table:
            return _loaded(_source(locate(path, options), options, source_dir))
        return None
    if path.suffix.lower() not in TEXT_ENDINGS and not _is_table(path, options):
        return None
    return _loaded(_source(path, options, source_dir))


def _is_table(path: Path, options: Options) -> bool:
    """Returns whether a FITS file is a table, not an image."""
    try:
        check_columns(opened_table(path, options.unlabelled), options.unlabelled)
    except DataError:
        if options.needs_table:
            raise
        return False
    return True


def _source(table: Path, options: Options, source_dir: Path | None) -> CatalogueSource:
    names = [split_hdu(name)[0] for name in options.mosaics or ()]
    beside = all((table.parent / name).is_file() for name in names)
    if names and not beside and source_dir is not None:
        folder = source_dir.parent if source_dir.is_file() else source_dir
        found = [str((folder / name).resolve()) for name in options.mosaics or ()]
        options = options.model_copy(update={"mosaics": found})
    return CatalogueSource(table, options, labelled=False)


def _loaded(source: CatalogueSource) -> Iterator[Loaded]:
    rows = source.rows()
    with contextlib.closing(source):
        while some := list(itertools.islice(rows, _AT_ONCE)):
            yield from source.load(some)
