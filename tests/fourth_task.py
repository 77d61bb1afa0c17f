"""A task beside those of lensnet, in one file: a finder that is judged by what it ranks first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lensnet.config.task import TaskSpec

__all__ = ["TASK"]

TASK = TaskSpec(
    name="ranking",
    learns="classes",
    output_per_class=False,
    num_classes=2,
    loss="binary_crossentropy",
    training_metrics="fourth_task:training_metrics",
    monitors={"val_loss": "min", "val_precision": "max"},
    activation="sigmoid",
    output_name="ranks",
    columns="fourth_task:Columns",
    metrics="fourth_task:metrics",
    figures="fourth_task:figures",
    headline=("share_found",),
    rotation_sentence="ranks move by {percent}",
)


def training_metrics(num_classes: int) -> list[Any]:
    import keras

    return [keras.metrics.Precision(name="precision", thresholds=0.0)]


class Columns:
    truth = "known_as"

    def __init__(self, classes: Sequence[str]):
        self.classes = classes
        self.names = self.score_names = ["rank"]

    def truth_cell(self, label: Any) -> str:
        return self.classes[int(label)]

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def cells(self, scores: np.ndarray) -> list[str]:
        return [f"{scores[0]:.3f}"]


def metrics(labels: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
    first = np.argsort(-outputs[:, 0])[: int(labels.sum())]
    return {"share_found": float(labels[first].mean()), "examples": len(labels)}


def figures(labels: Any, outputs: Any, images: Any, classes: Any) -> dict[str, Any]:
    return {}
