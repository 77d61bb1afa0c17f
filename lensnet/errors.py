"""Errors that a user can cause, each with the exit code of the command line.

The command line prints the message of a :class:`LensnetError` and nothing else: no traceback.
A message says what was given, what is allowed, and what to do.
"""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable

__all__ = [
    "ConfigurationError",
    "DataError",
    "LensnetError",
    "RunError",
    "UnknownNameError",
    "did_you_mean",
    "is_full_disk",
]

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LensnetError(Exception):
    """Base of the errors that a user can cause and mend. Exit code 1.

    Args:
        message: what was given, what is allowed, what to do.
        key: the dotted key of the experiment file that is to blame, where it is one, such as
            `"training.epochs"`; the command line then says in which line it stands.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, key: str | None = None):
        super().__init__(message)
        self.key = key


class ConfigurationError(LensnetError):
    """Wrong usage or configuration. Exit code 2."""

    exit_code = 2


class UnknownNameError(ConfigurationError, LookupError):
    """A name that is not registered; the message names the nearest one that is."""


class RunError(ConfigurationError):
    """A run folder or model file that is missing, in the way, or not one of ours. Exit code 2."""


class DataError(LensnetError):
    """Bad input data: missing, unreadable, or not what the task needs. Exit code 3."""

    exit_code = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns `' Did you mean "x"?'` for the known name nearest to `name`, or an empty string.

    Example:

    >>> did_you_mean("epoch", ["epochs", "batch_size"])
    ' Did you mean "epochs"?'
    >>> did_you_mean("zzz", ["epochs"])
    ''
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.6)
    return f' Did you mean "{folded[close[0]]}"?' if close else ""


def is_full_disk(error: BaseException | None) -> bool:
    """Returns whether an error, or what caused it, says that nothing more can be written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL_DISK:
            return True
        # TensorFlow's own writers put the system's words into an error of another type.
        if any(os.strerror(code) in str(error) for code in _FULL_DISK):
            return True
        error = error.__cause__ or error.__context__
    return False
