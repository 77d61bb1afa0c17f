"""Unpacking tile-compressed FITS images where no harm can come of it.

The C code that undoes such compression believes what it reads: a few changed bytes make astropy's
HCOMPRESS decoder write beyond its memory, which ends the process. So other processes, workers, do
this work. For the decoders that are not known to check what they read, and for a file in whose
hands a worker has died, the worker forks: the child unpacks that image alone, and may crash, run
out of memory or out of time without harm to any other.

Each worker is the only one of a process pool of its own. A pool whose worker dies is broken, with
all that was asked of it, so that a pool of many would make every image suffer for a damaged one;
and it starts all its workers at once, however few images there are.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

import numpy as np

from lensnet.data.cpus import available_cpus
from lensnet.data.files.bad_file import first_words
from lensnet.data.files.npy_files import decode_npy
from lensnet.processes import end_with_parent, main_module_left_alone

__all__ = ["unpack_apart"]

MAX_SECONDS = 60
"""Seconds that unpacking one image may take."""

MAX_MEMORY_BYTES = 8 * 2**30
"""Address space of the process that unpacks one image."""

_CHECKING = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
"""Compressions whose decoders check lengths, so that a child for each image would be time lost."""

_idle: deque[ProcessPoolExecutor] = deque()
_slots = threading.BoundedSemaphore(available_cpus())


def unpack_apart(data: bytes, place: int, compression: str) -> np.ndarray:
    """Returns what a compressed HDU stores, not scaled, unpacked by another process.

    Args:
        data: the FITS file.
        place: the number of the HDU.
        compression: its ZCMPTYPE.

    Raises:
        ValueError: it is damaged; the message is a reason for the quarantine.
    """
    with _slots:
        pixels = None
        if compression in _CHECKING:
            pixels = _ask_worker(data, place, in_forked_child=False)
        if pixels is None:
            pixels = _ask_worker(data, place, in_forked_child=True)
    if pixels is None:
        raise ValueError("damaged FITS file (nothing can unpack it)")
    # Never a pickle: what a decoder has harmed may say anything.
    return decode_npy(pixels)[0]


def _ask_worker(data: bytes, place: int, *, in_forked_child: bool) -> bytes | None:
    """Returns the pixels as an .npy file, or None if the worker dies.

    Raises:
        ValueError: as `unpack_apart`.
    """
    pool = _take_pool()
    try:
        unpacking = pool.submit(_unpack_in_worker, data, place, in_forked_child)
        pixels = unpacking.result()
    except BrokenProcessPool:
        pool.shutdown(wait=False)
        return None
    except _DamagedError as error:
        _idle.append(pool)
        raise ValueError(f"damaged FITS file ({error})") from None
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    _idle.append(pool)
    return pixels


def _take_pool() -> ProcessPoolExecutor:
    """Returns a pool that nobody uses, its worker alive."""
    while _idle:
        with contextlib.suppress(IndexError):  # another thread was faster
            pool = _idle.pop()
            try:
                pool.submit(os.getpid).result()
            except BrokenProcessPool:  # somebody ended the worker, and no image did
                pool.shutdown(wait=False)
            else:
                return pool
    method = "forkserver" if hasattr(os, "fork") else "spawn"
    pool = ProcessPoolExecutor(
        1, multiprocessing.get_context(method), _start_worker, (MAX_SECONDS, MAX_MEMORY_BYTES)
    )
    with main_module_left_alone():
        pool.submit(os.getpid)
    return pool


def _forget_pools() -> None:
    """What a fork of this process does: its pools answer the process that started them."""
    global _slots
    _idle.clear()
    _slots = threading.BoundedSemaphore(available_cpus())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pools)


# --- in the workers -------------------------------------------------------------------------------


class _DamagedError(Exception):
    """What is wrong with the compressed pixels."""


_limits = (MAX_SECONDS, MAX_MEMORY_BYTES)


def _start_worker(max_seconds: int, max_memory_bytes: int) -> None:
    """Makes a process a worker.

    Args:
        max_seconds: what unpacking an image may take.
        max_memory_bytes: address space of the child that unpacks an image.
    """
    global _limits
    _limits = max_seconds, max_memory_bytes
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides when it ends
    # What a C library says before it aborts is not a message for anybody.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.simplefilter("ignore")
    end_with_parent()
    from astropy.io import fits  # noqa: F401  # loaded before it is needed in every child


def _unpack_in_worker(data: bytes, place: int, in_forked_child: bool) -> bytes:
    """Returns the pixels of an HDU as an .npy file.

    Raises:
        _DamagedError: there are none.
    """
    if in_forked_child and hasattr(os, "fork"):
        return _unpack_in_forked_child(data, place)
    signal.alarm(_limits[0])  # a worker in an endless loop dies
    try:
        return _unpacked(data, place)
    finally:
        signal.alarm(0)


def _unpack_in_forked_child(data: bytes, place: int) -> bytes:
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(writing, data, place))
    child.start()
    writing.close()
    try:
        is_damaged, answer = reading.recv_bytes() == b"damaged", reading.recv_bytes()
    except (EOFError, OSError):
        child.join()
        if child.exitcode == -signal.SIGALRM:
            raise _DamagedError(f"unpacking it takes more than {_limits[0]} s") from None
        raise _DamagedError("its compressed pixels make no sense") from None
    finally:
        reading.close()
    child.join()
    if is_damaged:
        raise _DamagedError(answer.decode("utf-8", "replace"))
    return answer


def _answer(writing: Connection, data: bytes, place: int) -> None:
    """What the child does: it sends what kind of answer it has, and the answer."""
    import resource

    signal.alarm(_limits[0])
    resource.setrlimit(resource.RLIMIT_AS, (_limits[1], _limits[1]))
    try:
        kind, answer = b"pixels", _unpacked(data, place)
    except _DamagedError as error:
        kind, answer = b"damaged", str(error).encode()
    writing.send_bytes(kind)
    writing.send_bytes(answer)


def _unpacked(data: bytes, place: int) -> bytes:
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(data), memmap=False, do_not_scale_image_data=True) as hdus:
            pixels = hdus[place].data
        stream = io.BytesIO()
        np.save(stream, pixels, allow_pickle=False)
    except Exception as error:
        # astropy fails in many ways on damaged tiles.
        raise _DamagedError(first_words(error)) from None
    return stream.getvalue()
