"""Exports as TensorFlow SavedModels, with the signature `serving_default`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from lensnet.export.served_model import ServedModel

__all__ = ["open_export", "write"]


def write(served: ServedModel, folder: Path) -> None:
    """Writes a SavedModel into a folder."""
    module = tf.Module()
    module.model = served.model  # so that its variables are saved
    module.serve = served.function
    tf.saved_model.save(module, str(folder), signatures={"serving_default": served.function})


def open_export(folder: Path, names: Sequence[str]) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what a SavedModel computes, from raw images to outputs (N, K)."""
    loaded: Any = tf.saved_model.load(str(folder))

    def run(images: np.ndarray) -> np.ndarray:
        # The variables live as long as `loaded`, of which a signature keeps nothing.
        outputs = loaded.signatures["serving_default"](images=tf.constant(images))
        return np.concatenate([outputs[name].numpy() for name in names], axis=1)

    return run
