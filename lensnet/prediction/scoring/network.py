"""A run's network at work on raw images: scores and their uncertainty, by one compiled function."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lensnet.data.files.pixels import to_float32
from lensnet.errors import RunError
from lensnet.prediction.predictor import Predictor

__all__ = ["Network", "open_network"]

_log = logging.getLogger(__name__)

# The layers by which an ensemble weighs what its members answer; see lensnet.ensembling.
_WEIGHING = re.compile(r"(probabilities|logits|target)_weight_\d+")


def open_network(run: str | Path, uncertainty: str) -> Network:
    """Opens a run's network.

    Raises:
        RunError: as `Predictor.open`.
    """
    return Network(Predictor.open(run), uncertainty)


class Network:
    """Gives scores of raw images, and how uncertain they are.

    Args:
        predictor: of the run.
        uncertainty: `"members"`, `"rotations"` or `"none"`.

    Attributes:
        has_uncertainty: whether there is one; not of an ensemble that one member is left of.
    """

    def __init__(self, predictor: Predictor, uncertainty: str = "none"):
        self.predictor = predictor
        self.columns = predictor.columns
        self._by_rotations = uncertainty == "rotations"
        self._members = _Members.of(predictor.model) if uncertainty == "members" else None
        self.has_uncertainty = self._by_rotations or self._members is not None
        model = predictor.model if self._members is None else self._members.model
        preprocessing = predictor.preprocessing
        shape = predictor.native_shape

        @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32)], jit_compile=False)
        def answers(images: tf.Tensor) -> Any:
            return model(preprocessing(images), training=False)

        self._answers = answers

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores a batch.

        The uncertainty is a standard deviation: of the probability of the class that is predicted,
        which of two classes is that of either; or of the prediction. That over members has the
        weights of the ensemble. That over turns and reflections leaves the scores those of the
        image as it is; of images that are not square only the four that keep their shape count.

        Args:
            images: (N, H, W, C), raw.

        Returns:
            the scores (N, K), a column for each of the columns' `score_names`, and the uncertainty
            (N,), None where there is none.

        Raises:
            RunError: not even one image fits into memory.
        """
        images = to_float32(images)
        if self._by_rotations:
            ways = [self._scores(self._run(turned)) for turned in _turned(images)]
            return ways[0], _spread(np.stack(ways), ways[0], None)
        if self._members is None:
            return self._scores(self._run(images)), None
        outputs, *parts = self._run(images)
        scores = self._scores(outputs)
        members = [self.columns.scores(part) for part in self._members.answers(parts)]
        return scores, _spread(np.stack(members), scores, self._members.weights)

    def _scores(self, outputs: Any) -> np.ndarray:
        return self.columns.scores(np.asarray(outputs))

    def _run(self, images: np.ndarray) -> Any:
        """Returns what the model gives as arrays; where memory is short, in halves."""
        try:
            return keras.tree.map_structure(np.asarray, self._answers(images))
        except tf.errors.ResourceExhaustedError:
            if len(images) == 1:
                raise RunError(
                    "Not even one image fits into the memory of the device. Choose another one, or "
                    'the CPU: CUDA_VISIBLE_DEVICES="".'
                ) from None
        _log.info("A batch of %d images does not fit into memory: it is halved.", len(images))
        half = len(images) // 2
        first, second = self._run(images[:half]), self._run(images[half:])
        return keras.tree.map_structure(lambda *both: np.concatenate(both), first, second)


class _Members:
    """What the members of an ensemble answer, beside what it answers itself.

    Args:
        model: gives both.
        kind: what of the members is combined: `probabilities`, `logits` or `target`.
        weights: (M,) of the members.
    """

    def __init__(self, model: keras.Model, kind: str, weights: np.ndarray):
        self.model, self.kind, self.weights = model, kind, weights

    @classmethod
    def of(cls, model: keras.Model) -> _Members | None:
        """Returns the members of a model; None where there are not several."""
        layers = [layer for layer in model.layers if _WEIGHING.fullmatch(layer.name)]
        if not layers:
            return None
        kind = layers[0].name.partition("_")[0]
        both = keras.Model(model.inputs, [model.outputs[0], *(layer.input for layer in layers)])
        return cls(both, kind, np.array([float(layer.scale) for layer in layers]))

    def answers(self, parts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Returns parts as the outputs of a model: logits become probabilities."""
        if self.kind != "logits":
            return list(parts)
        from scipy.special import expit, softmax  # type: ignore[import-untyped]

        return [expit(part) if part.shape[1] == 1 else softmax(part, axis=1) for part in parts]


def _spread(ways: np.ndarray, scores: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Returns the standard deviation of what counts.

    Args:
        ways: (M, N, K) scores.
        scores: (N, K), by which the class is predicted.
        weights: (M,); None for equal ones.

    >>> _spread(np.array([[[0.2, 0.8]], [[0.4, 0.6]]]), np.array([[0.3, 0.7]]), None).round(3)
    array([0.1])
    """
    chosen = scores.argmax(axis=1) if ways.shape[2] > 1 else np.zeros(len(scores), np.int64)
    values = ways[:, np.arange(len(scores)), chosen].astype(np.float64)
    mean = np.average(values, axis=0, weights=weights)
    variance: np.ndarray = np.average((values - mean) ** 2, axis=0, weights=weights)
    return np.sqrt(variance)


def _turned(images: np.ndarray) -> list[np.ndarray]:
    """Returns images (N, H, W, C) in all ways to lay them on the pixels, the first as they are."""
    quarters = range(0, 4, 1 if images.shape[1] == images.shape[2] else 2)
    return [
        np.ascontiguousarray(np.rot90(side, quarter, axes=(1, 2)))
        for side in (images, images[:, :, ::-1])
        for quarter in quarters
    ]
