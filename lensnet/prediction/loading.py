"""Loading a trained model."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras

import lensnet.layers  # noqa: F401  # Keras finds a layer once its module is imported
from lensnet.errors import RunError
from lensnet.run_folder import RunFolder

__all__ = ["load"]


def load(run_or_file: str | Path) -> keras.Model:
    """Loads the best model of a run, or any `.keras` file.

    What a run's model takes: images as the experiment's preprocessing gives them (resized,
    normalised), float32, (batch, height, width, channels). What it gives: probabilities, shape
    (batch, classes), of class 1 alone for a binary task, shape (batch, 1); or targets in their
    own unit, shape (batch, 1), with sigma (batch, 2) where the loss was `gaussian_nll`. For raw
    images use `lensnet.prediction.Predictor` or an export.

    Args:
        run_or_file: a run folder or a `.keras` file.

    Raises:
        RunError: there is no such run or file, or it is not a model that can be read.

    Example:

    >>> import tempfile
    >>> image = keras.Input((4, 4, 1))
    >>> path = f"{tempfile.mkdtemp()}/model.keras"
    >>> keras.Model(image, keras.layers.Flatten()(image)).save(path)
    >>> load(path).output_shape
    (None, 16)
    """
    path = Path(run_or_file)
    if path.is_dir():
        path = RunFolder.open(path).require_model()
    if not path.is_file():
        raise RunError(f"There is no run folder or model file {path}.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise RunError(
            f"{path} is not a model file: a model is a whole .keras file, as `lensnet fit` "
            "writes it."
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever a foreign file makes Keras raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(f"{path} holds no model that can be read here: {reason}") from error
