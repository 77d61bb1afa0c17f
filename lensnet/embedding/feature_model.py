"""From raw images to the pooled features of a run's network, and its answers beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from lensnet.layers import GroupAveraged, accelerate
from lensnet.models.head_tensors import pooled_features
from lensnet.prediction.predictor import Predictor, open_single_network

__all__ = ["Embedder", "Features", "feature_model"]


class Features(NamedTuple):
    """What a network makes of images.

    Args:
        features: (N, D) float32.
        scores: a column for each of `Predictor.score_names`, (N, K).
    """

    features: np.ndarray
    scores: np.ndarray


def feature_model(model: keras.Model) -> keras.Model:
    """Returns the model from images to pooled features and what the model itself gives.

    Of a model that averages over rotations the features are averaged, too, so that they do not
    change when the image is rotated.

    Args:
        model: as a run saves it.

    Returns:
        a model with its weights, whose answer is a dictionary of `"features"` (batch, D) and
        `"outputs"`.

    Raises:
        ConfigurationError: the model has no pooled layer.

    Example:

    >>> from lensnet.models import create
    >>> model = create("vit_lens", input_shape=(48, 48, 1), num_outputs=2, symmetry="c4", depth=1)
    >>> {name: tuple(x.shape) for name, x in feature_model(model).output.items()}["outputs"]
    (None, 2)
    """
    if isinstance(model, GroupAveraged):
        return GroupAveraged(feature_model(model.model), model.group, model.stacked)
    outputs = {"features": pooled_features(model), "outputs": model.output}
    return keras.Model(model.input, outputs, name=model.name)


@dataclass(frozen=True)
class Embedder:
    """A run's network up to its pooled features.

    Args:
        predictor: of the run.
        model: see `feature_model`.
    """

    predictor: Predictor
    model: keras.Model

    @classmethod
    def open(cls, run_dir: str | Path) -> Embedder:
        """Opens a run.

        Raises:
            RunError: there is no such run, it has no model yet, or it is an ensemble.
            ConfigurationError: its model has no pooled layer.
        """
        predictor = open_single_network(run_dir, "pooled features")
        return cls(predictor, accelerate(feature_model(predictor.model)))

    def __call__(self, images: np.ndarray) -> Features:
        """Gives the features and the scores of raw images (N, H, W, C)."""
        answer = self.model.predict_on_batch(self.predictor.preprocessing(images))
        scores = self.predictor.columns.scores(np.asarray(answer["outputs"]))
        return Features(np.asarray(answer["features"]).astype(np.float32), scores)
