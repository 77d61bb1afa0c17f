"""Keeping off the terminal what libraries written in C++ say to nobody in particular."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

__all__ = ["native_standard_error_aside"]


@contextlib.contextmanager
def native_standard_error_aside() -> Iterator[None]:
    """Keeps what the process writes to file descriptor 2 aside; shows it after an exception."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
