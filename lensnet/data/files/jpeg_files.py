"""Reading JPEG files, as the cutout services of surveys hand them out."""

from __future__ import annotations

import io

import numpy as np

from lensnet.data.files.bad_file import first_words
from lensnet.data.files.exif import orientation_of
from lensnet.data.files.png_files import MAX_PIXELS

__all__ = ["decode_jpeg"]

_MAGIC = b"\xff\xd8\xff"


def decode_jpeg(data: bytes) -> tuple[np.ndarray, int]:
    """Returns the pixels of a JPEG file, (H, W) for grey, (H, W, 3) for colour, and how to turn it.

    Baseline and progressive files are read. Pixels are as they are stored, whatever the
    orientation tag says; see `orientation_of`.

    Raises:
        ValueError: the bytes are not such a file, or are of other colours than red, green and
            blue; the message is a reason for the quarantine.
    """
    from PIL import Image

    if data[:3] != _MAGIC:
        raise ValueError("not a JPEG file: its first bytes are others")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            mode, (width, height) = picture.mode, picture.size
            readable = mode in ("L", "RGB") and width * height <= MAX_PIXELS
            if readable:
                picture.load()
                return np.asarray(picture), orientation_of(picture)
    except Exception as error:
        # Pillow's plugin fails in many ways on damaged markers.
        raise ValueError(f"damaged JPEG ({first_words(error)})") from error
    if mode not in ("L", "RGB"):
        raise ValueError(f"a JPEG of {mode} colours, where grey or red, green and blue are read")
    raise ValueError(f"its shape is {height} x {width} pixels, which no cutout has")
