"""A trained model together with the preprocessing it was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lensnet.config import Experiment
from lensnet.layers import accelerate
from lensnet.prediction.loading import load
from lensnet.run_folder import RunFolder

__all__ = ["Predictor"]


@dataclass(frozen=True)
class Predictor:
    """Takes images as they come and gives what the task asks for.

    Args:
        model: from preprocessed images to probabilities or targets.
        preprocessing: from raw images to preprocessed ones.
        classes: the class names, () for regression.
        experiment: the run's experiment.

    Example:

    >>> predictor = Predictor.open("runs/quickstart")  # doctest: +SKIP
    >>> predictor(np.load("cutouts.npy"))  # doctest: +SKIP
    """

    model: keras.Model
    preprocessing: Any
    classes: tuple[str, ...]
    experiment: Experiment

    @classmethod
    def open(cls, run_dir: str | Path) -> Predictor:
        """Opens a run.

        Raises:
            RunError: there is no such run, or it has no model yet.
        """
        from lensnet.data.pipeline.preprocessing import Preprocessing

        run = RunFolder.open(run_dir)
        data = run.read_json("data.json")
        return cls(
            model=accelerate(load(run.path)),
            preprocessing=Preprocessing.from_dict(data["preprocessing"]),
            classes=tuple(data["classes"]),
            experiment=run.read_experiment(),
        )

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an image as it comes."""
        return tuple(self.preprocessing.native_shape)

    @property
    def score_names(self) -> list[str]:
        """What the columns of `scores` are."""
        return [f"score_{name}" for name in self.classes] or ["prediction"]

    def __call__(self, images: Any) -> np.ndarray:
        """Gives probabilities or targets.

        Args:
            images: (batch, height, width, channels), as they come.

        Returns:
            (batch, classes), or (batch, 1) for a binary task, the probability of class 1, and for
            regression.
        """
        return np.asarray(self.model.predict_on_batch(self.preprocessing(images)))

    def scores(self, images: Any) -> np.ndarray:
        """As calling, with a column for each class also for a binary task."""
        outputs = self(images)
        if len(self.classes) == 2 and outputs.shape[1] == 1:
            return np.concatenate([1 - outputs, outputs], axis=1)
        return outputs
