"""The images of candidates, read as those of the run are, and kept as cutouts of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensnet import files
from lensnet.config import Experiment
from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.files.mosaics import CutoutSize, split_hdu
from lensnet.data.hashing import stable_hash
from lensnet.data.sources.reading_ahead import read_ahead
from lensnet.data.sources.source import Shape
from lensnet.errors import DataError
from lensnet.inspection.candidates import Candidate
from lensnet.inspection.image_reader import ImageReader
from lensnet.inspection.mosaic_reader import MosaicReader
from lensnet.learning.choice import Chosen
from lensnet.prediction.planning.file_names import split_files
from lensnet.progress import track

__all__ = ["CandidateImages", "cutout_name", "write_cutout"]

_MANY = 128


@dataclass(frozen=True, eq=False)
class CandidateImages:
    """Where the images of candidates are.

    Args:
        experiment: the run's, which says how files are read.
        shape: (H, W, C) that they must have.
        beside: the table that names their files, which are looked for from the working directory
            on, and else from its folder.
        mosaics: patterns of mosaics that rows without a file are cut out of; () for the run's.
        bands: what stands for `{band}` in them; () for the run's.
        size: how large to cut; None for the run's, or the shape's.
    """

    experiment: Experiment
    shape: Shape
    beside: Path
    mosaics: Sequence[str] = ()
    bands: Sequence[str] = ()
    size: CutoutSize | None = None

    @property
    def reader(self) -> ImageReader:
        """What reads the files that the table names."""
        experiment = self.experiment.reading
        options = experiment.dataset_options
        roots = (Path(), self.beside.parent, *filter(None, [experiment.source_dir]))
        return ImageReader(roots, FileReader.from_options(options), options, tuple(self.bands))

    def check(self, chosen: Sequence[Chosen]) -> None:
        """Checks, before anything is read, that the images of all candidates are there.

        Raises:
            DataError: one is not named, or its file is not there.
        """
        reader = self.reader
        unnamed = [one for one in chosen if not _file(one)]
        if unnamed and not (self.mosaics or reader.mosaics):
            tile = unnamed[0].row.get("tile")
            raise DataError(
                f"{self.beside} names no file of {len(unnamed)} of {len(chosen)} candidates, such "
                f"as {unnamed[0].id}{f', which was cut out of {tile}' if tile else ''}. Name the "
                "mosaics to cut them out of by --mosaics."
            )
        missing = [
            (one.id, name)
            for one in chosen
            for name in split_files(_file(one))
            if name and not _is_below(name, reader.roots)
        ]
        if missing:
            raise DataError(
                f"The images of {len(dict(missing))} of {len(chosen)} candidates are not there; "
                f"the first is {missing[0][1]} of {missing[0][0]}. They are looked for as "
                f"{self.beside} names them, from the working directory or from its folder on."
            )

    def read(self, chosen: Sequence[Chosen]) -> Iterator[tuple[Chosen, np.ndarray]]:
        """Yields the image of each candidate, (H, W, C) float32, as the network was shown it.

        Raises:
            DataError: an image cannot be read, or is of another shape.
        """
        image_of = self._image_of(chosen)

        def load(one: Chosen) -> tuple[Chosen, np.ndarray]:
            try:
                image = image_of(one)
            except BadFileError as error:
                raise DataError(f"The image of the candidate {one.id} is bad: {error}.") from None
            if image.shape != self.shape:
                raise DataError(
                    f"The image of the candidate {one.id} has the shape {image.shape}, and those "
                    f"of the run have {self.shape}."
                )
            return one, image

        with without_astropy_warnings():
            loading = read_ahead(load, chosen, ahead=_MANY)
            yield from track(loading, "Reading candidates", total=len(chosen))

    def origin(self, one: Chosen) -> str:
        """Returns where a candidate's pixels come from: its first file, absolute, or its tile."""
        names = [name for name in split_files(_file(one)) if name]
        if not names:
            return str(one.row.get("tile") or "")
        root = next((r for r in self.reader.roots if _is_below(names[0], (r,))), Path())
        return os.path.abspath(root / names[0])

    def _image_of(self, chosen: Sequence[Chosen]) -> Callable[[Chosen], np.ndarray]:
        """Returns what gives the image of a candidate."""
        reader = self.reader
        cut = {one.id: one for one in chosen if not _file(one)}
        mosaics = self._mosaics(list(cut.values()), reader) if cut else None
        placed = {one.id: _placed(one, place) for place, one in enumerate(cut.values())}

        def image_of(one: Chosen) -> np.ndarray:
            if mosaics is not None and one.id in placed:
                return mosaics.read(placed[one.id])
            at = _placed(one, 0)
            return reader.read(at.file, at.ra, at.dec)

        return image_of

    def _mosaics(self, chosen: Sequence[Chosen], reader: ImageReader) -> MosaicReader:
        how = reader.reader
        return MosaicReader(
            [_placed(one, place) for place, one in enumerate(chosen)],
            tuple(self.mosaics) or reader.mosaics,
            self.size or reader.size or CutoutSize(pixels=self.shape[0]),
            reader.bands or (how.bands.bands if how.bands else ()),
            list(how.hdu) if isinstance(how.hdu, tuple) else how.hdu,
            how.max_nonfinite,
        )


def write_cutout(folder: Path, id_: str, image: np.ndarray) -> str:
    """Writes a cutout into a folder, and returns its name there."""
    name = f"{cutout_name(id_)}.npy"
    with files.replacing(folder / name, durable=False) as temporary:
        np.save(temporary, image)
    return name


def cutout_name(id_: str) -> str:
    """Returns the name of a candidate's cutout, without ending, which no other has.

    >>> cutout_name("field/J0029-38").startswith("J0029-38-")
    True
    """
    plain = re.sub(r"[^\w.+-]+", "_", id_.rpartition("/")[2], flags=re.ASCII)[:80].strip("._")
    return f"{plain or 'candidate'}-{stable_hash(id_) % 16**8:08x}"


def _file(one: Chosen) -> str:
    return str(one.row.get("file") or "")


def _placed(one: Chosen, place: int) -> Candidate:
    """Returns a candidate as what cuts it out of mosaics knows it."""
    ra, dec = (_degrees(one.row.get(key)) for key in ("ra", "dec"))
    return Candidate(one.id, place, 0.0, _file(one), ra, dec, (), {})


def _degrees(cell: Any) -> float | None:
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return None


def _is_below(name: str, roots: Sequence[Path]) -> bool:
    """Whether there is a file of a name, which may have an HDU or a number in a stack behind it."""
    return any(
        os.path.exists(root / found) for root in roots for found in (name, split_hdu(name)[0])
    )
