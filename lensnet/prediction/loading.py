"""Loading a trained model."""

from __future__ import annotations

from pathlib import Path

import keras

import lensnet.layers  # noqa: F401  # Keras finds a layer once its module is imported
from lensnet.errors import RunError
from lensnet.models.model_reading import read_model
from lensnet.run_documents import DataDescription
from lensnet.run_folder import RunFolder

__all__ = ["check_input_shape", "load"]


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
    return read_model(path)


def check_input_shape(model: keras.Model, data: DataDescription, run: RunFolder) -> None:
    """Checks that a run's model takes the images that the run's preprocessing makes.

    Raises:
        RunError: they do not belong together.
    """
    takes = tuple(model.input_shape[1:])
    if len(takes) != 3 or any(
        side not in (None, given) for side, given in zip(takes, data.image_shape, strict=True)
    ):
        raise RunError(
            f"The run {run.path} is damaged: its model takes images of {takes}, and data.json says "
            f"{data.image_shape}."
        )
