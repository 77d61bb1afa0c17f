"""Reading `.npy` and `.npz` files whose bytes nobody vouches for."""

from __future__ import annotations

import functools
import io
import math
import zipfile
from typing import Any

import numpy as np

from lensnet.data.files.bad_file import first_words
from lensnet.data.files.object_arrays import load_object_array

__all__ = ["decode_npy", "decode_npz"]

_MAGIC = b"\x93NUMPY"

MAX_BYTES = 2**30
"""Bytes beyond which an array is not a cutout, when unpacked."""


def decode_npy(data: bytes) -> tuple[np.ndarray, tuple[float, ...]]:
    """Returns the array in the bytes of an `.npy` file, and the numbers stored beside it.

    Args:
        data: the whole file. Nothing larger than it is ever allocated.

    Returns:
        The array as it is stored, and the scalars of an object array such as `[image, mass]`
        (else nothing).

    Raises:
        ValueError: the bytes are not such a file; the message is a reason for the quarantine.
    """
    if data[:6] != _MAGIC:
        raise ValueError("not a NumPy file: its first bytes are others")
    if len(data) < 12:
        raise ValueError("truncated inside the header")
    major = data[6]
    if major not in (1, 2):
        raise ValueError(f"NumPy format version {major} is not for arrays of numbers")
    width = 2 if major == 1 else 4
    start = 8 + width
    end = start + int.from_bytes(data[8:start], "little")
    if end > len(data):
        raise ValueError("truncated inside the header")
    shape, fortran, dtype = _parse_header(data[6:end])
    if dtype.hasobject:
        return load_object_array(memoryview(data)[end:])
    count = math.prod(shape)
    expected, found = count * dtype.itemsize, len(data) - end
    if found < expected:
        raise ValueError(f"truncated: {found} bytes of {expected}")
    if found > expected:
        raise ValueError(f"{found - expected} bytes too many")
    array = np.frombuffer(data, dtype, count, offset=end)
    return (array.reshape(shape[::-1]).T if fortran else array.reshape(shape)), ()


def decode_npz(data: bytes) -> tuple[np.ndarray, tuple[float, ...]]:
    """Returns the one array of an `.npz` file, and the numbers stored beside it.

    Args:
        data: the whole file.

    Raises:
        ValueError: the bytes are not such a file, or hold more arrays than one; the message is a
            reason for the quarantine.
    """
    if data[:2] != b"PK":
        raise ValueError("not an .npz file: its first bytes are others")
    names: list[str] = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(names) == 1 and archive.getinfo(names[0]).file_size <= MAX_BYTES:
                return decode_npy(archive.read(names[0]))
    except ValueError:
        raise
    except Exception as error:
        # zipfile fails in many ways on damaged files, and on archives that it does not know.
        raise ValueError(f"damaged .npz file ({first_words(error)})") from error
    if len(names) == 1:
        raise ValueError(f"unpacks to more than {MAX_BYTES} bytes")
    arrays = ", ".join(name.removesuffix(".npy") for name in names[:4])
    more = ", ..." if len(names) > 4 else ""
    raise ValueError(f"holds {len(names)} arrays ({arrays}{more}), where an image is one")


# The files of a data set have one header among them.
@functools.lru_cache(maxsize=256)
def _parse_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Parses the header behind the magic bytes; it starts with the version."""
    read = (
        np.lib.format.read_array_header_1_0
        if header[0] == 1
        else np.lib.format.read_array_header_2_0
    )
    try:
        shape, fortran, dtype = read(io.BytesIO(header[2:]))
    except Exception as error:
        # NumPy's parser of the header fails in many ways on damaged text.
        raise ValueError("the header is damaged") from error
    if len(shape) > 4 or not all(0 <= length < 2**31 for length in shape):
        raise ValueError(f"its shape is {shape}, which no image has")
    if dtype.hasobject and dtype.kind != "O":
        raise ValueError("holds a table, not numbers")
    return shape, fortran, dtype
