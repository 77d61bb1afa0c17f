"""Explaining what a run's network answers about chosen images."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from lensnet.evaluation.precision import in_full_float32
from lensnet.evaluation.run_opening import open_run_data
from lensnet.explanation.activation_map import (
    grad_cam,
    has_attention,
    last_attention,
    stage_of_map,
)
from lensnet.explanation.answers import unwrapped
from lensnet.explanation.occlusion_map import occlusion
from lensnet.models.head_tensors import pooled_features
from lensnet.prediction.bad_inputs import nothing_usable
from lensnet.prediction.image_batches import ImageBatch, images_of_inputs
from lensnet.prediction.planning import Input
from lensnet.prediction.predictor import Predictor, open_single_network
from lensnet.progress import track
from lensnet.run_folder import RunFolder

__all__ = ["Explained", "Explainer", "Explanation", "Method", "explain_inputs", "explain_test"]

_log = logging.getLogger(__name__)

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a network answers about an image, and where it finds that.

    Args:
        name: of the image.
        image: (H, W, C), raw.
        truth: what is known of it; None where nobody knows.
        answer: the class or the prediction, with its score.
        seen: (H, W), at least 0: by Grad-CAM, or attention.
        fall: (rows, columns) of cells: how far the answer falls where they are covered.
    """

    name: str
    image: np.ndarray
    truth: str | None
    answer: str
    seen: np.ndarray
    fall: np.ndarray


class Method(NamedTuple):
    """How the maps beside the occlusion are made.

    Args:
        title: its name.
        words: of which part of the network.
    """

    title: str
    words: str


@dataclass(frozen=True)
class Explained:
    """Explanations of some images.

    Args:
        images: of each image.
        of: from what they were chosen, and in what order; "" for all that was named.
        method: what the maps beside the occlusion are.
        unit: of the answer that falls.
        title: of the run.
        bad: inputs that hold no usable image.
    """

    images: list[Explanation]
    of: str
    method: Method
    unit: str
    title: str
    bad: Sequence[Input] = ()


@dataclass(frozen=True)
class Explainer:
    """A run's network, of whose answers it says where they come from.

    Args:
        predictor: of the run.
    """

    predictor: Predictor

    @classmethod
    def open(cls, run_dir: str | Path) -> Explainer:
        """Opens a run.

        Raises:
            RunError: there is no such run, it has no model yet, or it is an ensemble.
            ConfigurationError: its model has no pooled layer.
        """
        predictor = open_single_network(run_dir, "feature maps")
        pooled_features(unwrapped(predictor.model)[0])
        return cls(predictor)

    @property
    def model(self) -> keras.Model:
        """The run's model."""
        return self.predictor.model

    @property
    def method(self) -> Method:
        """What the maps beside the occlusion are."""
        if has_attention(self.model):
            return Method("Attention", "of the last block, mean of its heads")
        return Method("Grad-CAM", f"of stage {stage_of_map(self.model)}")

    @property
    def unit(self) -> str:
        """Of the answer that falls."""
        if self.predictor.classes:
            return "logit of the class given"
        return "prediction, the data's unit"

    def __call__(self, batch: ImageBatch) -> list[Explanation]:
        """Explains the answers to some images."""
        predictor = self.predictor
        scores = predictor.scores(batch.images)
        chosen = scores.argmax(axis=1) if predictor.classes else None
        images = np.asarray(predictor.preprocessing(batch.images), np.float32)
        with in_full_float32(self.model) as model:
            attentive = has_attention(model)
            seen = last_attention(model, images) if attentive else grad_cam(model, images, chosen)
            falls = occlusion(model, images, chosen)
        truth = batch.truth(predictor)
        return [
            Explanation(
                name=(batch.files or batch.ids)[row],
                image=batch.images[row],
                truth=None if truth is None else _known(truth[row]),
                answer=self._answer(scores[row]),
                seen=seen[row],
                fall=falls[row],
            )
            for row in range(len(batch))
        ]

    def _answer(self, scores: np.ndarray) -> str:
        if not self.predictor.classes:
            return f"{scores[0]:.4g}"
        best = int(scores.argmax())
        return f"{self.predictor.classes[best]} {scores[best]:.3f}"


def explain_inputs(run_dir: str | Path, inputs: Sequence[str | Path], most: int) -> Explained:
    """Explains what a run's network answers about files.

    Args:
        run_dir: the run folder.
        inputs: files, folders and tables.
        most: how many of their images, the first ones.

    Raises:
        RunError: there is no such run, or it is an ensemble.
        DataError: an input does not exist, or not one image can be used.
    """
    explainer = Explainer.open(run_dir)
    bad: list[Input] = []
    found: list[Explanation] = []
    batches = images_of_inputs(explainer.predictor, inputs, 4)
    for batch in track(batches, "Explaining images", count=len):
        bad += batch.bad
        left_out = len(batch) > most - len(found)
        found += explainer(_first(batch, most - len(found))) if len(batch) else []
        if len(found) == most:
            if left_out or next(batches, None) is not None:
                _log.warning("The first %d images are explained; -n says how many.", most)
            break
    if not found:
        raise nothing_usable(explainer.predictor.experiment, bad)
    return _explained(explainer, found, "", bad)


def explain_test(run_dir: str | Path, most: int) -> Explained:
    """Explains the errors of a run's network on the test split that it is surest of, and its hits.

    Half are errors, as far as there are, the other half hits, the surest of each class in turn. Of
    a regression half are the largest errors and half the smallest.

    Args:
        run_dir: the run folder.
        most: how many images.

    Raises:
        RunError: there is no such run, or it is an ensemble.
        DataError: the run's records are gone.
    """
    explainer = Explainer.open(run_dir)
    run = RunFolder.open(run_dir)
    data = open_run_data(run)
    examples = data.examples("test")
    scores = np.concatenate(
        [explainer.predictor.scores(images) for images in data.raw_batches("test", _BATCH)]
    )
    places = choose(examples.labels, scores, most, classes=bool(data.classes))
    batch = ImageBatch(
        examples.ids[places].tolist(),
        data.raw_images("test", places),
        labels=examples.labels[places],
    )
    order = "surest" if data.classes else "largest"
    of = f"{len(examples.ids)} test images, the {order} errors first"
    return _explained(explainer, explainer(batch), of, [])


def choose(labels: np.ndarray, scores: np.ndarray, most: int, *, classes: bool) -> np.ndarray:
    """Returns the positions of the images to explain: errors first, then hits.

    Args:
        labels: class indices or targets, (N,).
        scores: (N, K).
        most: how many.
        classes: whether labels are classes.

    Example:

    >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    >>> choose(np.array([0, 1, 0, 1]), scores, 3, classes=True).tolist()
    [2, 0, 1]
    """
    if not classes:
        order = np.argsort(-np.abs(scores[:, 0] - labels), kind="stable")
        half = min(most, len(order)) // 2
        first = min(most, len(order)) - half
        return np.concatenate([order[:first], order[len(order) - half :]])
    given, confidence = scores.argmax(axis=1), scores.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong, right = order[(given != labels)[order]], order[(given == labels)[order]]
    # The surest of each class, then the next of each.
    ranks = {name: itertools.count() for name in range(scores.shape[1])}
    rank = np.array([next(ranks[int(labels[place])]) for place in right], np.int64)
    right = right[np.argsort(rank, kind="stable")]
    errors = max(most // 2, most - len(right))
    chosen = wrong[:errors]
    return np.concatenate([chosen, right[: most - len(chosen)]])


def _explained(
    explainer: Explainer, found: list[Explanation], of: str, bad: Sequence[Input]
) -> Explained:
    title = explainer.predictor.experiment.name
    return Explained(found, of, explainer.method, explainer.unit, title, bad)


def _first(batch: ImageBatch, count: int) -> ImageBatch:
    files = None if batch.files is None else batch.files[:count]
    return ImageBatch(batch.ids[:count], batch.images[:count], files)


def _known(truth: str | float) -> str:
    return truth if isinstance(truth, str) else f"{truth:.4g}"
