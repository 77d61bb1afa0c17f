"""The one thing that a picture's EXIF data say and a reader must know: how it would be turned."""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["orientation_of"]

_ORIENTATION = 0x0112


def orientation_of(picture: Any) -> int:
    """Returns the orientation tag of a Pillow image, 1 to 8; 1, for "as it is", where it has none.

    A camera writes it, so that programs turn the picture before they show it. Here nothing is
    turned: a position angle, or the parity of an image, is measured in the rows and columns that
    the file has.
    """
    found = None
    # EXIF data may be damaged as anything in a file, and are not what is read of it.
    with contextlib.suppress(Exception):
        found = picture.getexif().get(_ORIENTATION)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1
