"""Reading a `.keras` file that may come from others: no code of its own runs."""

from __future__ import annotations

from pathlib import Path

import keras

from lensnet.errors import RunError
from lensnet.model_file import check_model_file

__all__ = ["read_model"]


def read_model(path: Path) -> keras.Model:
    """Reads a model, uncompiled.

    Args:
        path: the file.

    Raises:
        RunError: it is not a model that can be read here, or would run code.
    """
    # Keras's own argument `safe_mode` gives way to what the process has allowed elsewhere.
    from keras.src.saving.serialization_lib import SafeModeScope

    check_model_file(path)
    try:
        with SafeModeScope(True):
            return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever a foreign file makes Keras raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(f"{path} holds no model that can be read here: {reason}") from error
