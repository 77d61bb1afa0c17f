"""The columns of predictions.csv and of a table of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

__all__ = ["ClassColumns", "Columns", "TargetAndSigmaColumns", "TargetColumns"]


class Columns(Protocol):
    """What an image's answer says in a table, one object a run.

    Attributes:
        truth: the column of what is known of the image.
        names: the columns of what is predicted.
        score_names: those of them that hold numbers.
    """

    truth: str
    names: list[str]
    score_names: list[str]

    def truth_cell(self, label: Any) -> str:
        """Returns what is known of an image as text."""

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the outputs of the model (N, K) as a column for each of `score_names`."""

    def cells(self, scores: np.ndarray) -> list[str]:
        """Returns the scores of one image as text for each of `names`."""


class ClassColumns:
    """The predicted class, and a probability for each class.

    Args:
        classes: the class names, in label order.

    Example:

    >>> columns = ClassColumns(["galaxy", "lens"])
    >>> columns.names
    ['predicted', 'score_galaxy', 'score_lens']
    >>> [columns.cells(scores) for scores in columns.scores(np.array([[0.75]]))]
    [['lens', '0.25', '0.75']]
    """

    truth = "label"

    def __init__(self, classes: Sequence[str]):
        self.classes = list(classes)
        self.score_names = [f"score_{name}" for name in self.classes]
        self.names = ["predicted", *self.score_names]

    def truth_cell(self, label: Any) -> str:
        """Returns the name of a class."""
        return self.classes[int(label)]

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Returns a probability for each class; a single output is that of the second class."""
        if outputs.shape[1] > 1:
            return outputs
        return np.concatenate([1 - outputs, outputs], axis=1)

    def cells(self, scores: np.ndarray) -> list[str]:
        """Returns the most probable class and the probabilities."""
        return [self.classes[int(np.argmax(scores))], *(f"{score:.7g}" for score in scores)]


class TargetColumns:
    """The prediction of a quantity, in its own unit.

    Args:
        classes: none; columns of all kinds are made alike.

    Example:

    >>> TargetColumns(()).cells(np.array([12.5]))
    ['12.5']
    """

    truth = "target"

    def __init__(self, classes: Sequence[str]):
        self.names = self.score_names = ["prediction"]

    def truth_cell(self, label: Any) -> str:
        """Returns a target with the digits of single precision."""
        return f"{float(label):.7g}"

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the predictions as they are."""
        return outputs

    def cells(self, scores: np.ndarray) -> list[str]:
        """Returns the prediction, and what else stands beside it."""
        return [f"{score:.7g}" for score in scores]


class TargetAndSigmaColumns(TargetColumns):
    """The prediction of a quantity and its standard deviation, in its own unit.

    Args:
        classes: none; columns of all kinds are made alike.

    Example:

    >>> columns = TargetAndSigmaColumns(())
    >>> columns.names, columns.cells(np.array([12.5, 0.25]))
    (['prediction', 'sigma'], ['12.5', '0.25'])
    """

    def __init__(self, classes: Sequence[str]):
        super().__init__(classes)
        self.names = self.score_names = ["prediction", "sigma"]
