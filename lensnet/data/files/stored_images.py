"""Images as they lie in a file of many: numbers, or the bytes of a picture."""

from __future__ import annotations

import os

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.decoding import DecodedImage
from lensnet.data.files.file_reader import FileReader
from lensnet.data.files.fits_files import decode_fits
from lensnet.data.files.jpeg_files import decode_jpeg
from lensnet.data.files.npy_files import decode_npy
from lensnet.data.files.pixels import channels_last, validate_and_fill
from lensnet.data.files.png_files import decode_png

__all__ = ["StoredImage", "decode_bytes", "decode_stored"]

StoredImage = np.ndarray | bytes | ValueError
"""The numbers of an image, the bytes of its file, or why there is neither."""


def decode_bytes(data: bytes) -> tuple[np.ndarray, int]:
    """Returns the array in the bytes of a PNG, JPEG, `.npy` or FITS file, and how to turn it.

    Which of them it is, its first bytes say.

    Raises:
        ValueError: it is none, or damaged; the message is a reason for the quarantine.

    >>> decode_bytes(b"GIF89a")
    Traceback (most recent call last):
    ValueError: its bytes are not those of a PNG, JPEG, .npy or FITS file
    """
    if not data:
        raise ValueError("it has no bytes")
    if data.startswith(b"\x89PNG"):
        return decode_png(data)
    if data.startswith(b"\xff\xd8"):
        return decode_jpeg(data)
    if data.startswith(b"\x93NUMPY"):
        return decode_npy(data)[0], 1
    if data.startswith(b"SIMPLE  ="):
        return decode_fits(data, None), 1
    raise ValueError("its bytes are not those of a PNG, JPEG, .npy or FITS file")


def decode_stored(
    path: str | os.PathLike[str], stored: StoredImage, reader: FileReader
) -> DecodedImage:
    """Returns an image of a file of many as one that is read from a file of its own.

    Args:
        path: what it is called in messages.
        stored: as it lies there.
        reader: how files are read.

    Raises:
        BadFileError: it is none.
    """
    orientation = 1
    try:
        if isinstance(stored, ValueError):
            raise stored
        if isinstance(stored, bytes):
            stored, orientation = decode_bytes(stored)
        image, filled = validate_and_fill(
            channels_last(stored), reader.max_nonfinite, reader.mask_value
        )
    except ValueError as error:
        raise BadFileError(path, str(error)) from None
    return DecodedImage(image, (), filled, orientation)
