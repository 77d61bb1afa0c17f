"""The predictions of a run for its test split, read back from `predictions.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lensnet.csv_tables import read_dicts
from lensnet.errors import RunError

__all__ = ["Predictions", "read_predictions"]


@dataclass(frozen=True)
class Predictions:
    """What a run predicts for its test images, in the order of their ids.

    Attributes:
        ids: (N,) str.
        labels: class indices int64, or targets float64, (N,).
        outputs: probabilities (N, K), or predictions and what stands beside them, (N, T).
        classes: in the order of the columns; () for a regression.
    """

    ids: np.ndarray
    labels: np.ndarray
    outputs: np.ndarray
    classes: tuple[str, ...]

    def has_same_images(self, other: Predictions) -> bool:
        """Returns whether another run was measured on the same images, with the same truth."""
        return (
            self.classes == other.classes
            and np.array_equal(self.ids, other.ids)
            and np.array_equal(self.labels, other.labels)
        )


def read_predictions(path: Path) -> Predictions:
    """Reads `predictions.csv` of a run whose task has classes or a target.

    Raises:
        RunError: it is missing or damaged, or is of another kind of task.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing: the run was not evaluated yet. Do `lensnet evaluate`.")
    try:
        rows = sorted(read_dicts(path), key=lambda row: row["id"])
        if not rows:
            raise ValueError("it holds no image")
        ids = np.array([row["id"] for row in rows], dtype=object)
        if "target" in rows[0]:
            columns = [name for name in rows[0] if name in ("prediction", "sigma")]
            labels = np.array([float(row["target"]) for row in rows])
            return Predictions(ids, labels, _numbers(rows, columns), ())
        columns = [name for name in rows[0] if name.startswith("score_")]
        classes = tuple(name.removeprefix("score_") for name in columns)
        places = {name: place for place, name in enumerate(classes)}
        labels = np.array([places[row["label"]] for row in rows])
        return Predictions(ids, labels, _numbers(rows, columns), classes)
    except (KeyError, ValueError, OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be compared: {error}.") from None


def _numbers(rows: list[dict[str, str]], columns: list[str]) -> np.ndarray:
    found = np.array([[float(row[name]) for name in columns] for row in rows])
    if not columns or not np.isfinite(found).all():
        raise ValueError("it holds no scores that are numbers")
    return found
