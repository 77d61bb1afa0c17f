"""Exports as `.keras` files of Keras's own layers and operations, for any of its backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from lensnet.errors import ConfigurationError
from lensnet.export.served_model import ServedModel

__all__ = ["open_export", "write"]


def write(served: ServedModel, folder: Path) -> None:
    """Writes model.keras into a folder.

    Raises:
        ConfigurationError: the model has a layer that is not Keras's own.
    """
    if served.not_folded is not None:
        raise ConfigurationError(
            f"The file would need more than Keras to be loaded: {served.not_folded} Use --format "
            "saved_model."
        )
    served.keras_model.save(folder / "model.keras")


def open_export(folder: Path, names: Sequence[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what a Keras model computes, from raw images to outputs (N, K)."""
    model = keras.models.load_model(folder / "model.keras")

    def run(images: np.ndarray) -> np.ndarray:
        outputs = model.predict_on_batch(images)
        if len(names) == 1:
            return np.asarray(outputs)
        return np.concatenate([outputs[name] for name in names], axis=1)

    return run
