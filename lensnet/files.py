"""Writing files so that what bears a file's name is always whole."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lensnet.errors import ConfigurationError

__all__ = ["check_writable", "replacing", "write_json", "write_text"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path`; it takes the name once the block has ended well.

    If the block raises, or the process dies, or the disk is full, a file that stood under the
    name before is untouched. The temporary path keeps the ending, by which some writers choose
    their format.

    Args:
        path: the file.
        durable: whether the file must outlast a loss of power as well, which takes waiting for the
            disk; not needed of a file that is soon read and removed.

    Example:

    >>> import pathlib, tempfile
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "scores.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        # mkstemp makes a file that only its owner may read; a result is for everybody.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        yield temporary
        if durable:
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes a JSON file, whole or not at all. Not-a-number is refused: it is not JSON."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def check_writable(folder: str | os.PathLike[str], advice: str) -> None:
    """Checks, before any work, that files can be written into a folder.

    It is tried out, in the folder or in the nearest one above that is there: permissions alone
    do not tell of read-only file systems, and say nothing to an administrator.

    Args:
        folder: the folder; it need not be there yet.
        advice: what the user can do about it, a sentence.

    Raises:
        ConfigurationError: they cannot.
    """
    folder = Path(folder)
    try:
        above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        # Where the folder is still to be made, it is a folder that must be possible.
        if above == folder:
            handle, name = tempfile.mkstemp(prefix=".lensnet-", dir=above)
            os.close(handle)
            os.unlink(name)
        else:
            os.rmdir(tempfile.mkdtemp(prefix=".lensnet-", dir=above))
    except OSError as error:
        raise ConfigurationError(
            f"Nothing can be written to {folder} ({error.strerror}). {advice}"
        ) from None
