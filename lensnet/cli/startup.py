"""Starting TensorFlow without the notices that it writes before it reads its own log level."""

from __future__ import annotations

import logging
import os
import sys

from lensnet.standard_error import native_standard_error_aside

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
    with native_standard_error_aside():
        import tensorflow as tf

        tf.config.list_physical_devices()
