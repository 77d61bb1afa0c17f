"""How the files of a data set are read, in preparation and in prediction alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lensnet.data.files.band_pattern import BandPattern
from lensnet.data.files.decoding import DecodedImage, decode, decode_bands
from lensnet.data.files.fits_files import HduName

__all__ = ["FileReader"]


@dataclass(frozen=True)
class FileReader:
    """How the files of an example become an image.

    Args:
        hdu: number or name of the FITS extension; several where a file holds a band in each, or
            where the files of the bands differ; None for the first that holds an image.
        max_nonfinite: share of the pixels that may be NaN, infinite or masked.
        bands: how files are named where each band has one of its own; None where it has not.
        mask_value: the value of masked pixels; None where there are none.
        finest_grid: whether bands of larger pixels are brought to the grid of the finest.
    """

    hdu: int | str | tuple[int | str, ...] | None = None
    max_nonfinite: float = 0.05
    bands: BandPattern | None = None
    mask_value: float | None = None
    finest_grid: bool = False

    @classmethod
    def from_options(cls, options: Any) -> FileReader:
        """Takes from a data set's options what they say of reading; the rest keeps its default.

        Args:
            options: the options of any data set. It is asked for `hdu`, `max_nonfinite`,
                `mask_value`, `finest_grid`, and for `bands` with `file_pattern` and `bands_apart`,
                which may be keys of the configuration or constants of the class.
        """
        bands = getattr(options, "bands", None)
        hdu = getattr(options, "hdu", None)
        apart = getattr(options, "bands_apart", False)
        return cls(
            hdu=tuple(hdu) if isinstance(hdu, list) else hdu,
            max_nonfinite=getattr(options, "max_nonfinite", cls.max_nonfinite),
            bands=BandPattern(bands, options.file_pattern, apart) if bands else None,
            mask_value=getattr(options, "mask_value", None),
            finest_grid=getattr(options, "finest_grid", False),
        )

    def read(
        self,
        paths: Sequence[str | os.PathLike[str]],
        hdus: Sequence[HduName | None] | None = None,
    ) -> DecodedImage:
        """Reads an image from its file, or from a file for each band.

        Args:
            paths: the file, or one for each band.
            hdus: the HDU of each, where the listing says it; by default as `hdu` does.

        Raises:
            BadFileError: it cannot be read.
        """
        whole = len(paths) == 1
        if hdus is None:
            whole = self.bands is None and not isinstance(self.hdu, tuple)
            if self.bands is None and isinstance(self.hdu, tuple):
                paths = [paths[0]] * len(self.hdu)
            hdus = self.hdu if isinstance(self.hdu, tuple) else [self.hdu] * len(paths)
        if whole:
            return decode(
                paths[0],
                hdu=hdus[0],
                max_nonfinite=self.max_nonfinite,
                mask_value=self.mask_value,
            )
        return decode_bands(
            paths,
            hdu=hdus,
            max_nonfinite=self.max_nonfinite,
            mask_value=self.mask_value,
            finest_grid=self.finest_grid,
        )
