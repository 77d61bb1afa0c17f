"""The exceptions that say why a file is not an image."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lensnet.csv_tables import name_as_text
from lensnet.errors import DataError

__all__ = ["BadFileError", "RefusedError", "first_words", "reading"]


class BadFileError(DataError):
    """A file that is not a usable image.

    Preparation lists it with its reason in `quarantine.csv` and goes on; reading a single image
    raises it. Exit code 3.

    Args:
        path: the file.
        reason: what is wrong with it, as one short phrase without a full stop.

    >>> str(BadFileError("lens/7.npy", "the file is empty"))
    'lens/7.npy: the file is empty.'
    """

    def __init__(self, path: str | os.PathLike[str], reason: str):
        self.path = os.fspath(path)
        self.reason = reason
        super().__init__(f"{name_as_text(self.path)}: {reason}.")

    def __reduce__(self) -> tuple[type[BadFileError], tuple[str, str]]:
        """Lets the exception cross from one process to another."""
        return type(self), (self.path, self.reason)


class RefusedError(ValueError):
    """What is wrong with a file, in words of ours that can stand in the quarantine as they are.

    Of a ValueError alone it is not known whether a library has made it, and its words with it.
    """


def first_words(error: BaseException) -> str:
    """Returns the beginning of an error's message, short enough to stand inside a reason."""
    return str(error).split("\n")[0].rstrip(".")[:80] or type(error).__name__


@contextlib.contextmanager
def reading(what: str, expected: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
    """Turns what a library raises while it reads a file into one line.

    Args:
        what: is read, with its path: "The catalogue objects.fits".
        expected: the exceptions that may come; by default all, for parsers that fail in many ways
            on damaged files. A DataError, which has words of ours, passes as it is.

    Raises:
        DataError: "... cannot be read", and the beginning of the library's words.
    """
    try:
        yield
    except DataError:
        raise
    except expected as error:
        raise DataError(f"{what} cannot be read ({first_words(error)}).") from error
