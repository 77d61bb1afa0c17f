"""Unpacking tile-compressed FITS images where no harm can come of it.

The C code that undoes such compression believes what it reads: a few changed bytes make astropy's
HCOMPRESS decoder write beyond its memory, which ends the process. So other processes, servers, do
this work. For the decoders that are not known to check what they read, and for a file in whose
hands a server has died, the server forks: the copy unpacks that image alone, and may crash, run
out of memory or out of time without harm to any other.

Servers end when this process does, whichever way it ends: their standard input ends then.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import warnings
from collections import deque
from typing import IO, NoReturn

import numpy as np

from lensnet.data.cpus import available_cpus
from lensnet.data.files.bad_file import first_words
from lensnet.data.files.npy_files import decode_npy

__all__ = ["serve", "unpack_apart"]

MAX_SECONDS = 60
"""Seconds that unpacking one image may take."""

MAX_MEMORY_BYTES = 8 * 2**30
"""Address space of the process that unpacks one image."""

_CHECKING = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2", "NOCOMPRESS")
"""Compressions whose decoders check lengths, so that a copy for each image would be time lost."""

# Whether a copy is to do it, the number of the HDU, and the length of the file.
_REQUEST, _LENGTH = struct.Struct("<?qq"), struct.Struct("<q")
_IMAGE, _REASON = b"i", b"r"
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lensnet.data.files.compressed_fits import serve; serve()"
)

_Server = subprocess.Popen[bytes]
_idle: deque[_Server] = deque()
_slots = threading.BoundedSemaphore(available_cpus())


def unpack_apart(data: bytes, place: int, compression: str) -> np.ndarray:
    """Returns the pixels of a compressed HDU, unpacked by another process.

    Args:
        data: the FITS file.
        place: the number of the HDU.
        compression: its ZCMPTYPE.

    Raises:
        ValueError: it is damaged; the message is a reason for the quarantine.
    """
    with _slots:
        answer = None
        if compression in _CHECKING:
            answer = _answer(data, place, by_a_copy=False)
        if answer is None:
            answer = _answer(data, place, by_a_copy=True)
    if answer is None:
        raise ValueError("damaged FITS file (nothing can unpack it)")
    if answer[:1] != _IMAGE:
        raise ValueError(f"damaged FITS file ({answer[1:].decode('utf-8', 'replace')})")
    return decode_npy(answer[1:])[0]


def _answer(data: bytes, place: int, *, by_a_copy: bool) -> bytes | None:
    """Returns what a server answers, or None if it dies."""
    server = _take()
    try:
        answer = _ask(server, data, place, by_a_copy)
    except BaseException as error:
        # Its next answer would be to this question.
        _end(server, at_once=True)
        if isinstance(error, OSError | EOFError):
            return None
        raise
    _idle.append(server)
    return answer


def _take() -> _Server:
    try:
        return _idle.pop()
    except IndexError:
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )


def _ask(server: _Server, data: bytes, place: int, by_a_copy: bool) -> bytes:
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("The process was started without pipes.")
    server.stdin.write(_REQUEST.pack(by_a_copy, place, len(data)))
    server.stdin.write(data)
    server.stdin.flush()
    (length,) = _LENGTH.unpack(_exactly(server.stdout, _LENGTH.size))
    return _exactly(server.stdout, length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError
    return found


def _end(server: _Server, at_once: bool = False) -> None:
    if at_once:
        server.kill()
    for pipe in (server.stdin, server.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass  # what it had not taken yet
    server.wait()


@atexit.register
def _end_all() -> None:
    while _idle:
        _end(_idle.pop())


def _forget() -> None:
    """What a fork of this process does: its servers answer the process that started them."""
    global _slots
    _idle.clear()
    _slots = threading.BoundedSemaphore(available_cpus())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


# --- the other side -------------------------------------------------------------------------------


def serve() -> None:
    """Answers what `unpack_apart` asks on standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks decides when it ends
    warnings.simplefilter("ignore")
    from astropy.io import fits  # noqa: F401  # loaded before it is needed in every copy

    while header := sys.stdin.buffer.read(_REQUEST.size):
        by_a_copy, place, length = _REQUEST.unpack(header)
        data = _exactly(sys.stdin.buffer, length)
        by_a_copy = by_a_copy and hasattr(os, "fork")
        signal.alarm(0 if by_a_copy else MAX_SECONDS)  # a server in an endless loop dies
        answer = _by_a_copy(data, place) if by_a_copy else _unpacked(data, place)
        signal.alarm(0)
        sys.stdout.buffer.write(_LENGTH.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()


def _by_a_copy(data: bytes, place: int) -> bytes:
    """Returns the answer of a copy of this process."""
    reading, writing = os.pipe()
    copy = os.fork()
    if copy == 0:
        _answer_and_end(writing, data, place)
    os.close(writing)
    with open(reading, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(copy, 0)
    if status == 0:
        return answer
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return _REASON + f"unpacking it takes more than {MAX_SECONDS} s".encode()
    return _REASON + b"its compressed pixels make no sense"


def _answer_and_end(writing: int, data: bytes, place: int) -> NoReturn:
    try:
        import resource

        signal.alarm(MAX_SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        with open(writing, "wb") as stream:
            stream.write(_unpacked(data, place))
    except BaseException:
        os._exit(1)
    os._exit(0)


def _unpacked(data: bytes, place: int) -> bytes:
    """Returns the HDU's pixels as an .npy file, or the reason why there are none."""
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(data), memmap=False) as hdus:
            pixels = hdus[place].data
        stream = io.BytesIO()
        np.save(stream, pixels, allow_pickle=False)
    except Exception as error:
        # astropy fails in many ways on damaged tiles.
        return _REASON + first_words(error).encode()
    return _IMAGE + stream.getvalue()
