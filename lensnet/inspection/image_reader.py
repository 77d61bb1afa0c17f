"""Reading the images that a table of scores names, by the readers of preparation and prediction."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import image_ending, stack_bands
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.fits_files import HduName
from lensnet.data.files.image_stacks import ENDINGS as STACKS
from lensnet.data.files.mosaics import CutoutSize, opened, split_hdu
from lensnet.data.sources.folder_listing import Example
from lensnet.data.tables.parquet_table import ENDINGS as PARQUET
from lensnet.errors import DataError
from lensnet.exploration.bands import band_names, known_filter
from lensnet.prediction.planning.file_names import split_files

if TYPE_CHECKING:
    from lensnet.datasets.image_stack.stack_source import StackSource

__all__ = ["ImageReader"]


@dataclass(frozen=True)
class ImageReader:
    """Reads images by the names of their files.

    Args:
        roots: the folders below which files are looked for, the first first.
        reader: how files are read.
        options: `data.options` of the run, which may say more; None without a run.
        bands: what the bands are called; () for what their files say.
    """

    roots: tuple[Path, ...]
    reader: FileReader = field(default_factory=FileReader)
    options: Any = None
    bands: tuple[str, ...] = ()

    def read(self, cell: str, ra: float | None = None, dec: float | None = None) -> np.ndarray:
        """Returns the image of a row, (H, W, C) float32.

        Args:
            cell: what the column `file` says.
            ra: degrees, where a run cuts its images out of larger ones.
            dec: degrees.

        Raises:
            BadFileError: there is none, or it cannot be read.
        """
        names = [name for name in split_files(cell) if name]
        if not names:
            raise BadFileError("", "the table names no file of it")
        whole = self._find(cell)
        if len(names) > 1 and whole.is_file():
            names = [cell]
        found = [self._locate(name) for name in names]
        if len(found) == 1 and _is_in_stack(*found[0]):
            return self._read_from_stack(*found[0])
        hdus = self._hdus(found)
        paths = [path for path, _ in found]
        if self.size is not None and ra is not None and dec is not None:
            return self._cut(paths, hdus or self.reader.hdu or (), ra, dec)
        return self.reader.read(paths, hdus).image

    @property
    def mosaics(self) -> tuple[str, ...]:
        """The mosaics that the run's options name, below the first root that has them."""
        names = getattr(self.options, "mosaics", None) or ()
        return tuple(
            str(self._find(split_hdu(name)[0])) + name[len(split_hdu(name)[0]) :] for name in names
        )

    @property
    def size(self) -> CutoutSize | None:
        """How large the run's options cut; None where they do not."""
        pixels = getattr(self.options, "size_pixels", None)
        arcsec = getattr(self.options, "size_arcsec", None)
        return CutoutSize(pixels, arcsec) if pixels or arcsec else None

    def names_of_bands(self, cells: Sequence[str], channels: int) -> tuple[str, ...]:
        """Returns what the bands are called.

        Args:
            cells: what the column `file` says of the images.
            channels: how many bands they have.
        """
        if len(self.bands) == channels:
            return self.bands
        if self.options is not None:
            return band_names(self.options, channels)
        for cell in cells:
            files = split_files(cell)
            if len(files) == channels > 1:
                stems = [
                    Path(name[: len(name) - len(image_ending(name) or "")]).name for name in files
                ]
                named = [known_filter(stem) for stem in stems]
                if None not in named and len(set(named)) == channels:
                    return tuple(stem.replace("-", "_").rpartition("_")[2] for stem in stems)
        return band_names(None, channels)

    def _cut(self, paths: Sequence[Path], hdus: object, ra: float, dec: float) -> np.ndarray:
        """Returns what lies around a position in files of larger images."""
        parts = hdus if isinstance(hdus, list | tuple) and hdus else [None] * len(paths)
        files = paths if len(paths) == len(parts) else [paths[0]] * len(parts)

        def planes() -> Iterator[tuple[Path, np.ndarray]]:
            for path, hdu in zip(files, parts, strict=True):
                with opened(path, hdu) as image:
                    ((x, y),) = image.pixels_of(np.array([ra]), np.array([dec]))
                    try:
                        yield path, image.cut(x, y, self.size or CutoutSize())
                    except ValueError as error:
                        raise BadFileError(path, str(error)) from None

        return stack_bands(planes(), max_nonfinite=self.reader.max_nonfinite).image

    def _hdus(self, found: Sequence[tuple[Path, HduName | None]]) -> list[HduName | None] | None:
        """Returns the HDU of each file; None where the run's options say it of all together."""
        usual = self.reader.hdu
        if isinstance(usual, tuple):
            return None
        hdus = [usual if hdu is None else hdu for _, hdu in found]
        is_said = any(hdu is not None for _, hdu in found)
        return hdus if is_said or self.reader.bands is None else None

    def _locate(self, name: str) -> tuple[Path, HduName | None]:
        """Returns the path of a file and its HDU, or its number in a stack."""
        path = self._find(name)
        if path.is_file():
            return path, None
        file, hdu = split_hdu(name)
        return self._find(file), hdu

    def _find(self, name: str) -> Path:
        tried = [root / name for root in self.roots]
        return next((path for path in tried if _exists(path)), tried[0])

    def _read_from_stack(self, path: Path, index: HduName | None) -> np.ndarray:
        try:
            source = self._stacks(path)
        except DataError as error:
            raise BadFileError(path, str(error).rstrip(".")) from None
        if not isinstance(index, int) or index >= source.array.shape[0]:
            raise BadFileError(path, f"has {source.array.shape[0]} images, and no image {index}")
        return source.read(Example(str(index), (f"{path.name}[{index}]",))).image

    @functools.cached_property
    def _stacks(self) -> Any:
        from lensnet.datasets.image_stack.stack_options import Options
        from lensnet.datasets.image_stack.stack_source import StackSource

        options = self.options if isinstance(self.options, Options) else Options()

        @functools.cache
        def opened(path: Path) -> StackSource:
            return StackSource(path, options, labelled=False)

        return opened


def _is_in_stack(path: Path, hdu: HduName | None) -> bool:
    return hdu is not None and (path.is_dir() or path.name.lower().endswith((*STACKS, *PARQUET)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
