"""Starting TensorFlow without the notices that it writes before it reads its own log level."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

__all__ = ["start_tensorflow"]

_log = logging.getLogger(__name__)


def start_tensorflow(*, quietly: bool = False) -> None:
    """Imports TensorFlow and finds its devices; what it says is shown only if that fails.

    TensorFlow 2.21 writes notices of its build and of missing GPUs straight to the process's
    standard error, whatever `TF_CPP_MIN_LOG_LEVEL` is. They would stand between the user and the
    progress of the command.

    Args:
        quietly: without a word of our own either, as a worker that is not the first.
    """
    if not quietly and "tensorflow" not in sys.modules:
        _log.info("Starting TensorFlow ...")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _native_standard_error_aside():
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextlib.contextmanager
def _native_standard_error_aside() -> Iterator[None]:
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
