"""From a table of scores to a page, or to a folder of pages."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lensnet import files
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.files.mosaics import CutoutSize
from lensnet.data.tables import open_table
from lensnet.errors import ConfigurationError, RunError
from lensnet.inspection.candidates import Candidate, candidates_of, with_images
from lensnet.inspection.choosing import Choice, Chosen, choose
from lensnet.inspection.image_reader import ImageReader
from lensnet.inspection.mosaic_reader import MosaicReader
from lensnet.inspection.page import (
    PageEntry,
    PageSetting,
    page_setting,
    render_index,
    render_inspection,
)
from lensnet.inspection.score_columns import ScoreColumns
from lensnet.output_files import check_page
from lensnet.progress import track
from lensnet.reporting.page_output import check_page_output, replace_page

__all__ = ["Request", "check_inspection_output", "inspect_scores", "is_one_page"]

_log = logging.getLogger(__name__)

_PAGE_NAME = re.compile(r"page-\d{3,}\.html")
# A page of more asks much of a browser.
_MUCH = 1500
# A lens of a galaxy, and a little of what is around it.
_SIZE_IN_MOSAICS = CutoutSize(arcsec=15.0)


@dataclass(frozen=True)
class Request:
    """What is to be looked at, and how.

    Args:
        choice: which rows.
        score: the column by which candidates are the best, or the class; None for the default.
        size: of the centre that is shown, or of what is cut out of mosaics; None for all of an
            image, and of mosaics for 15 arcsec.
        mosaics: patterns of mosaics out of which candidates are cut by position; () for images
            that have files.
        page_size: candidates of a page of a folder.
    """

    choice: Choice = Choice()
    score: str | None = None
    size: CutoutSize | None = None
    mosaics: tuple[str, ...] = ()
    page_size: int = 500

    def __post_init__(self) -> None:
        if self.size is not None and self.size.arcsec is not None and not self.mosaics:
            raise ConfigurationError(
                "A size in arcseconds is one to cut out of --mosaics; of images that have files "
                "say pixels, such as --size 64."
            )


def is_one_page(output: Path) -> bool:
    """Returns whether an output is a page, and not a folder of pages."""
    return output.suffix.lower() in (".html", ".htm")


def check_inspection_output(output: Path) -> None:
    """Checks, before any work, that a page or pages can be written, over lensnet's own alone.

    Raises:
        ConfigurationError: nothing can be written there.
        RunError: something else than pages of lensnet's is there.
    """
    if is_one_page(output):
        check_page_output(output)
        return
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise RunError(f"{output} is not a folder. Name a folder of pages, or a page PAGE.html.")
    for path in _pages_in(output):
        check_page(path)
    files.check_writable(output, "Name another folder with -o.")


def inspect_scores(
    scores: Path,
    output: Path,
    request: Request,
    reader: ImageReader,
) -> list[Path]:
    """Writes the candidates of a table of scores as one page, or as a folder of pages.

    Args:
        scores: the table.
        output: the page, whose name ends with .html; else the folder of pages with an index.
        request: what is to be looked at.
        reader: reads the images that the table names, and knows what the bands are called.

    Returns:
        the files, the page or the index first.

    Raises:
        ConfigurationError: there is no such column, or nothing can be written.
        RunError: something else than lensnet's pages is in the way.
        DataError: the table cannot be read, or no row fits.
    """
    check_inspection_output(output)
    table = open_table(scores)
    columns = ScoreColumns.of(table.column_names, request.score)
    if "id" not in table.column_names:
        raise ConfigurationError(
            f"{scores} has no column id, by which grades are known. Its columns: "
            f"{', '.join(table.column_names)}."
        )
    chosen = choose(table, columns, request.choice)
    _log.info(
        "%s: %d of %d scored rows by %s%s.",
        scores,
        chosen.rows.num_rows,
        chosen.scored,
        columns.score,
        f"; {chosen.unscored} rows have no score" if chosen.unscored else "",
    )
    found = candidates_of(chosen.rows, columns, request.choice.first + 1)
    _warn_of_doubles(found)
    read = _read_of(found, request, reader)
    pixels = request.size.pixels if request.size is not None and not request.mosaics else None
    writer = _Writer(scores, output, request, reader, columns, chosen)
    size = len(found) if is_one_page(output) else request.page_size
    if len(found) > _MUCH and is_one_page(output):
        _log.warning(
            "%d candidates make a large page; name a folder with -o, and there are pages of %d.",
            len(found),
            request.page_size,
        )
    parts = [found[start : start + size] for start in range(0, len(found), size)]
    with without_astropy_warnings():
        for part in track(parts, "Writing pages", total=len(found), count=len):
            writer.write(list(with_images(part, read, pixels)))
    return writer.finish()


def _read_of(
    candidates: Sequence[Candidate], request: Request, reader: ImageReader
) -> Callable[[Candidate], np.ndarray]:
    """Returns what gives the image of a candidate."""
    if not request.mosaics:
        return lambda candidate: reader.read(candidate.file, candidate.ra, candidate.dec)
    how = reader.reader
    mosaics = MosaicReader(
        candidates,
        request.mosaics,
        request.size or _SIZE_IN_MOSAICS,
        reader.bands or (how.bands.bands if how.bands else ()),
        list(how.hdu) if isinstance(how.hdu, tuple) else how.hdu,
        how.max_nonfinite,
    )
    return mosaics.read


class _Writer:
    """Writes pages as their candidates come."""

    def __init__(
        self,
        scores: Path,
        output: Path,
        request: Request,
        reader: ImageReader,
        columns: ScoreColumns,
        chosen: Chosen,
    ):
        self._scores, self._output, self._request = scores, output, request
        self._reader, self._columns, self._chosen = reader, columns, chosen
        self._setting: PageSetting | None = None
        self._pages: list[PageEntry] = []
        self._missing: list[Candidate] = []

    def write(self, part: Sequence[Candidate]) -> None:
        """Writes a page."""
        self._missing += [candidate for candidate in part if candidate.image is None]
        if self._setting is None or not self._setting.bands:
            # Of all pages alike, so that their colours compare.
            self._setting = page_setting(
                self._scores.stem,
                self._columns.score,
                self._request.choice.words(self._chosen.rows.num_rows),
                self._chosen.rows.num_rows,
                part,
                self._reader,
            )
        if is_one_page(self._output):
            path, title = self._output, self._scores.stem
        else:
            number = len(self._pages) + 1
            path, title = (
                self._output / f"page-{number:03}.html",
                f"{self._scores.stem}, page {number}",
            )
        replace_page(render_inspection(self._setting, title, part), path)
        # Images are not kept: a folder may have many pages.
        self._pages.append(
            PageEntry(path.name, replace(part[0], image=None), replace(part[-1], image=None))
        )

    def finish(self) -> list[Path]:
        """Says what is missing, writes the index, and returns the files."""
        shown = self._chosen.rows.num_rows
        if self._missing:
            first = self._missing[0]
            _log.warning(
                "%d of %d candidates have no image and are grey: %s, for one (%s).%s",
                len(self._missing),
                shown,
                first.id,
                first.reason,
                " Name the folder below which the files lie by --root."
                if first.file
                else " Name the mosaics to cut them out of by --mosaics, or the run by --run.",
            )
        if is_one_page(self._output) or self._setting is None:
            return [self._output]
        paths = [self._output / page.file for page in self._pages]
        for path in _pages_in(self._output):
            if path not in paths and path.name != "index.html":
                path.unlink()  # of a folder that held more pages
        index = replace_page(render_index(self._setting, self._pages), self._output / "index.html")
        return [index, *paths]


def _pages_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name == "index.html" or _PAGE_NAME.fullmatch(path.name)
    )


def _warn_of_doubles(candidates: Sequence[Candidate]) -> None:
    counts = Counter(candidate.id for candidate in candidates)
    double = [id_ for id_, count in counts.items() if count > 1]
    if double:
        _log.warning(
            "%d ids are of more than one candidate, such as %s: merged grades cannot tell these "
            "apart.",
            len(double),
            double[0],
        )
