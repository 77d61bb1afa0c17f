"""Which columns of a table say what: ids, positions, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lensnet.data.tables import Table
from lensnet.errors import DataError, did_you_mean
from lensnet.prediction.planning.input_options import InputOptions

__all__ = ["TableColumns", "find_columns"]

_IDS = (
    "id object_id objectid objid obj_id source_id sourceid id_str galaxy_id cutout_id "
    "coadd_object_id ls_id name object source"
).split()
_RA = (
    "ra ra_deg radeg raj2000 _raj2000 ra_j2000 alpha_j2000 alphawin_j2000 ra_icrs right_ascension "
    "rightascension ramean ra_mean coord_ra target_ra i_ra"
).split()
_DEC = (
    "dec dec_deg decdeg dej2000 _dej2000 decj2000 dec_j2000 delta_j2000 deltawin_j2000 de_icrs "
    "dec_icrs declination decmean dec_mean coord_dec target_dec i_dec"
).split()
_FILES = (
    "file filename file_name filepath file_path path image image_path image_file cutout "
    "cutout_file cutout_path file_loc"
).split()


@dataclass(frozen=True)
class TableColumns:
    """The columns of a table by what they say.

    Args:
        id: None where ids are made of the files or the position.
        id_is_asked_for: whether a row without one is bad.
        ra: right ascension; None where positions are not known.
        dec: declination; likewise.
        files: one for each band; () where rows are positions in mosaics.
    """

    id: str | None
    id_is_asked_for: bool
    ra: str | None
    dec: str | None
    files: tuple[str, ...]


def find_columns(
    table: Table, options: InputOptions, trained: Any, bands: Sequence[str], *, has_mosaics: bool
) -> TableColumns:
    """Finds out which columns of a table say what.

    What the user names must be there. Else it is what the training table called them, or else a
    usual name in any case.

    Args:
        table: the table.
        options: what the user says.
        trained: the options of `fits_catalog` in training; None for other data sets.
        bands: of the run, if each of them has a file of its own.
        has_mosaics: whether rows may be positions in mosaics.

    Raises:
        DataError: a column is missing.
    """
    search = _Search(table)
    ra = search.given(options.ra_column, "--ra-column") or search.first(
        getattr(trained, "ra_column", None), *_RA
    )
    dec = search.given(options.dec_column, "--dec-column") or search.first(
        getattr(trained, "dec_column", None), *_DEC
    )
    name = search.given(options.id_column, "--id-column")
    files = tuple(str(search.given(f, "--file-column")) for f in options.file_columns)
    if not files and not (has_mosaics and (options.mosaics or ra and dec)):
        files = _usual_files(search, trained, bands)
    if has_mosaics and not files:
        for found, option in ((ra, "--ra-column"), (dec, "--dec-column")):
            if found is None:
                raise DataError(
                    f"{table.path} has no column of a usual name for right ascension and "
                    f"declination. It has: {search.all}. {option} says which one to take."
                )
    elif not files:
        raise DataError(
            f"{table.path} names no images: no column of a usual name holds files, and there are "
            f"no mosaics to cut positions out of. It has: {search.all}. --file-column says which "
            "column to take, or --mosaics which mosaics."
        )
    usual = search.first(getattr(trained, "id_column", None), *_IDS)
    return TableColumns(name or usual, name is not None, ra, dec, files)


def _usual_files(search: _Search, trained: Any, bands: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(getattr(trained, "files", ()))
    if wanted and all(search.first(name) for name in wanted):
        return wanted
    for form in ("file_{}", "{}_file", "filename_{}", "path_{}"):
        found = [search.first(form.format(band)) for band in bands]
        if bands and all(found):
            return tuple(str(name) for name in found)
    single = search.first(*_FILES)
    if len(wanted) > 1:
        missing = next(name for name in wanted if not search.first(name))
        raise DataError(
            f'{search.table.path} has no column "{missing}".'
            f"{did_you_mean(missing, search.table.column_names)} It has: {search.all}. "
            "--file-column, once for each band, says which to take."
        )
    return () if single is None else (single,)


class _Search:
    """Finds columns of a table by name."""

    def __init__(self, table: Table):
        self.table = table
        self.all = ", ".join(table.column_names)
        self._folded = {name.casefold(): name for name in reversed(table.column_names)}

    def given(self, name: str | None, option: str) -> str | None:
        """Returns a name that the user gives, which must be there."""
        if name is not None and name not in self.table.column_names:
            raise DataError(
                f'{self.table.path} has no column "{name}".'
                f"{did_you_mean(name, self.table.column_names)} It has: {self.all}. {option} says "
                "which one to take."
            )
        return name

    def first(self, *names: str | None) -> str | None:
        """Returns the first of some names that there is, in its own case or another."""
        for name in names:
            if name in self.table.column_names:
                return name
            if name is not None and name.casefold() in self._folded:
                return self._folded[name.casefold()]
        return None
