"""In the place of a network: the score of an image is the mean of its pixels. No TensorFlow."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from lensnet.config import Experiment
from lensnet.prediction.columns import ClassColumns
from lensnet.prediction.scoring.score_request import ScoredRun

__all__ = ["CLASSES", "Brightness", "make_run", "open_network", "open_slowly", "scored_run"]

CLASSES = ("galaxy", "lens")


class Brightness:
    """A scorer.

    Args:
        seconds: how long it takes for a batch.
    """

    has_uncertainty = True

    def __init__(self, seconds: float = 0.0):
        self.columns = ClassColumns(CLASSES)
        self.seconds = seconds

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(self.seconds)
        if images.min() < 0 and os.environ.get("POISONOUS"):
            os._exit(9)
        mean = images.mean(axis=(1, 2, 3))
        return np.stack([1 - mean, mean], axis=1), images.std(axis=(1, 2, 3))


def open_network(run: object, uncertainty: str) -> Brightness:
    """See `ScoreRequest.network`."""
    return Brightness()


def open_slowly(run: object, uncertainty: str) -> Brightness:
    """One that can be killed in between."""
    return Brightness(float(os.environ.get("SECONDS_A_BATCH", "0.01")))


def make_run(folder: Path) -> Path:
    """Makes a run folder as far as `scored_run` reads it."""
    folder.mkdir()
    (folder / "model.keras").write_bytes(b"weights")
    (folder / "data.json").write_text("{}")
    return folder


def scored_run(folder: str | Path) -> ScoredRun:
    """In the place of `ScoredRun.open`: a run of images of 8 x 8 pixels."""
    experiment = Experiment.model_validate(
        {
            "name": "bright",
            "task": "binary",
            "data": {"dataset": "image_folder", "source_dir": str(folder)},
            "model": {"backbone": "resnet18"},
        }
    )
    return ScoredRun(Path(folder), experiment, (8, 8, 1), CLASSES)
