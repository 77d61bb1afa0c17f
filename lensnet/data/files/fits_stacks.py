"""FITS cubes of many images, which are not read whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from lensnet.data.files.bad_file import first_words
from lensnet.data.files.fits_files import HduName, is_compressed, without_astropy_warnings
from lensnet.data.files.fits_scaling import FitsScaling
from lensnet.data.files.mosaics import find_image

__all__ = ["FitsContent", "FitsStack", "fits_content"]

FitsContent = tuple[tuple[int, ...] | None, bool]
"""The shape of the image in a FITS file, None for none, and whether there is a table."""


def fits_content(path: Path, hdu: HduName | None = None) -> FitsContent:
    """Returns what a FITS file holds, by its headers; nothing, where they cannot be read.

    Args:
        path: the file.
        hdu: number or name of the HDU; None for the first that holds an image.
    """
    from astropy.io import fits

    try:
        with (
            without_astropy_warnings(),
            fits.open(path, memmap=True, lazy_load_hdus=True) as hdus,
        ):
            try:
                return tuple(find_image(hdus, hdu).shape), False
            except ValueError:
                tables = (fits.BinTableHDU, fits.TableHDU)
                return None, any(isinstance(one, tables) for one in hdus)
    except Exception:
        # astropy fails in many ways on damaged files; reading the file says what is wrong with it.
        return None, False


@final
class FitsStack:
    """The images of a FITS cube, its last axis in the header counting them.

    Its methods may be called from several threads.

    Args:
        path: the file.
        hdu: number or name of the HDU; None for the first that holds an image.
    """

    images_together = 1

    def __init__(self, path: Path, hdu: HduName | None = None):
        self.path = path
        self._hdu_name = hdu
        self._lock = threading.Lock()
        self._opened: tuple[Any, Any, FitsScaling] | None = None

    def images(self, indices: Sequence[int]) -> Iterator[np.ndarray | ValueError]:
        """Yields images as they are stored, in the order asked for, or why one cannot be read."""
        for index in indices:
            try:
                with self._lock:
                    source, scaling = self._source()
                    stored = np.array(source[index])
                yield scaling(stored)
            except Exception as error:
                # Decoders fail in many ways on damaged files.
                yield ValueError(f"cannot be read ({first_words(error)})")

    def close(self) -> None:
        """Closes the file; it is opened again when an image is asked for."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[0].close()

    def _source(self) -> tuple[Any, FitsScaling]:
        if self._opened is None:
            from astropy.io import fits

            hdus = fits.open(
                self.path, memmap=True, lazy_load_hdus=True, do_not_scale_image_data=True
            )
            hdu = find_image(hdus, self._hdu_name)
            # What is compressed tile by tile is scaled as it is unpacked.
            scaling = FitsScaling.from_header(hdu.header)
            source = hdu.section if is_compressed(hdu) else hdu.data
            self._opened = (hdus, source, scaling)
        return self._opened[1], self._opened[2]
