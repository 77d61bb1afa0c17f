"""Reading PNG files at the depth they were written in."""

from __future__ import annotations

import io

import numpy as np

from lensnet.data.files.bad_file import first_words
from lensnet.data.files.exif import orientation_of

__all__ = ["MAX_PIXELS", "decode_png"]

_MAGIC = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 2**26
"""Pixels (8192 x 8192) beyond which a picture is refused before it is unpacked."""


def decode_png(data: bytes) -> tuple[np.ndarray, int]:
    """Returns the pixels of a PNG file, (H, W) for grey, (H, W, 3) for colour, and how to turn it.

    Grey may have 1 to 16 bits; a palette is looked up; transparency, which is not a measurement,
    is left out. Pixels are as they are stored, whatever the orientation tag says.

    Raises:
        ValueError: the bytes are not such a file, or have 16 bits a colour, which Pillow would
            silently cut to 8; the message is a reason for the quarantine.
    """
    from PIL import Image

    if data[:8] != _MAGIC:
        raise ValueError("not a PNG file: its first bytes are others")
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError("truncated inside the header")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    bits, colour = data[24], data[25]
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"its shape is {height} x {width} pixels, which no cutout has")
    if bits == 16 and colour != 0:
        raise ValueError("16-bit colour PNG; store such images as .npy or FITS")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            picture.load()
            orientation = orientation_of(picture)
            if picture.mode in ("L", "I", "I;16", "I;16B", "RGB"):
                return np.asarray(picture), orientation
            mode = "L" if picture.mode in ("LA", "1") else "RGB"
            return np.asarray(picture.convert(mode)), orientation
    except Exception as error:
        # Pillow's plugin fails in many ways on damaged chunks.
        raise ValueError(f"damaged PNG ({first_words(error)})") from error
