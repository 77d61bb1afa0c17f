"""Where scores come from: a run's test split, a table of labelled objects, a survey's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.data.hashing import mix, stable_hash, unit_interval
from lensnet.data.tables import open_table
from lensnet.errors import ConfigurationError, DataError, did_you_mean
from lensnet.evaluation.checks import FloatArray
from lensnet.purity.choosing import ScoreSample
from lensnet.reporting.predictions_file import read_predictions
from lensnet.run_folder import RunFolder

__all__ = [
    "class_looked_for",
    "read_features",
    "read_labelled",
    "read_survey_scores",
    "rounded",
    "sample_of",
    "split_sample",
]

_LABELS = ("label", "label_input", "class", "class_input")
_CHOOSING_SHARE = 1 / 3


def class_looked_for(classes: Sequence[str], name: str | None) -> int:
    """Returns the index of the class looked for: the second of two, or that of the name.

    Raises:
        ConfigurationError: there is no such class, or of several none is named.
    """
    if not classes:
        raise ConfigurationError(
            "The run predicts a quantity, and has no class to look for. A threshold is for runs of "
            "the tasks binary and classification."
        )
    if name is None:
        if len(classes) != 2:
            raise ConfigurationError(
                f"The run knows {len(classes)} classes ({', '.join(classes)}): say which one is "
                "looked for with --class."
            )
        return 1
    if name not in classes:
        raise ConfigurationError(
            f'The run knows no class "{name}".{did_you_mean(name, classes)} It knows: '
            f"{', '.join(classes)}."
        )
    return list(classes).index(name)


def rounded(scores: Any) -> FloatArray:
    """Returns scores with the seven digits that a CSV file has, so that all compare alike.

    >>> rounded(np.array([0.123456789]))
    array([0.1234568])
    """
    return np.array([float(f"{score:.7g}") for score in np.asarray(scores, np.float64).ravel()])


def sample_of(scores: FloatArray, is_positive: np.ndarray, what: str) -> ScoreSample:
    """Returns the scores of a labelled sample.

    Args:
        scores: (N,).
        is_positive: (N,) bool.
        what: of it is said in an error.

    Raises:
        DataError: there are none of either kind.
    """
    sample = ScoreSample(scores[is_positive], scores[~is_positive])
    if sample.is_empty:
        kind = "negatives" if len(sample.positives) else "positives"
        raise DataError(
            f"{what} has no {kind}, and nothing can be said of purity without. Name a table of "
            "labelled objects with --calibration."
        )
    return sample


def split_sample(run: RunFolder, looked_for: int) -> ScoreSample:
    """Returns the scores of a run's test split, from its predictions.

    Raises:
        RunError: the run was not evaluated.
        DataError: the split lacks one of the two kinds.
    """
    found = read_predictions(run.predictions_file)
    scores = rounded(found.outputs[:, looked_for])
    return sample_of(scores, found.labels == looked_for, f"The test split of {run.path}")


def read_survey_scores(path: Path, name: str) -> FloatArray:
    """Returns the scores of a survey, (N,), from a table that `lensnet predict` has written.

    Rows without a score are left out.

    Args:
        path: of the table.
        name: of the class looked for.

    Raises:
        DataError: it has no such column, or no score.
    """
    table = open_table(path)
    column = _score_column(table.column_names, name, path)
    parts = [_numbers(piece.column(column)) for piece in table.pieces()]
    scores = np.concatenate(parts) if parts else np.empty(0, np.float64)
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        raise DataError(f"{path} holds no score of {name}.")
    return scores


def read_labelled(path: Path, classes: Sequence[str], looked_for: int) -> list[ScoreSample]:
    """Returns the scores of labelled objects: a third that chooses, and the rest, which proves.

    Which is which is decided by the object's id: rows of one id stay together.

    Args:
        path: of a table as `lensnet predict` writes it, with a column `label` (or `label_input`,
            carried along from the catalogue): names of classes, or 1 and 0.
        classes: of the run.
        looked_for: index of the class looked for.

    Raises:
        DataError: a column is missing, or either part lacks one of the two kinds.
    """
    table = open_table(path)
    name = classes[looked_for]
    column = _score_column(table.column_names, name, path)
    label = next((known for known in _LABELS if known in table.column_names), None)
    if label is None:
        raise DataError(f"{path} has no column `label` that says what each object is.")
    scores, truth, choosing = [], [], []
    row = 0
    for piece in table.pieces():
        labels = piece.column(label).to_pylist()
        ids = piece.column("id").to_pylist() if "id" in table.column_names else [None] * len(labels)
        for score, value, key in zip(_numbers(piece.column(column)), labels, ids, strict=True):
            row += 1
            if value is None or not np.isfinite(score):
                continue
            scores.append(score)
            truth.append(_is_positive(value, classes, looked_for, path))
            place = unit_interval(mix(0, stable_hash(str(row if key is None else key))))
            choosing.append(float(place) < _CHOOSING_SHARE)
    values, is_positive, first = rounded(scores), np.array(truth, bool), np.array(choosing, bool)
    return [
        sample_of(values[part], is_positive[part], f"A part of {path}") for part in (first, ~first)
    ]


def read_features(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """Returns features (N, D) and labels, as `lensnet embed` has written them.

    Args:
        path: .npz or .parquet.

    Raises:
        DataError: it is not such a file.
    """
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as content:
                labels = [str(of) for of in content["label"]] if "label" in content else None
                return np.asarray(content["features"]), labels
        from pyarrow import parquet

        table = parquet.read_table(path)
        flat = table.column("features").combine_chunks().flatten().to_numpy()
        named = table.column("label").to_pylist() if "label" in table.column_names else None
        return flat.reshape(table.num_rows, -1), named
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path} is not a file of features that `lensnet embed` has written ({error})."
        ) from None


def _score_column(names: Sequence[str], name: str, path: Path) -> str:
    column = f"score_{name}"
    if column not in names:
        raise DataError(
            f"{path} has no column {column}.{did_you_mean(column, names)} Scores are those that "
            "`lensnet predict` writes with the same run."
        )
    return column


def _numbers(column: Any) -> FloatArray:
    """A column of numbers as an array, NaN where there is none."""
    import pyarrow

    return np.asarray(
        column.cast(pyarrow.float64()).combine_chunks().to_numpy(zero_copy_only=False)
    )


def _is_positive(value: Any, classes: Sequence[str], looked_for: int, path: Path) -> bool:
    text = str(value).strip()
    if text in classes:
        return text == classes[looked_for]
    if text in ("0", "1", "0.0", "1.0", "True", "False"):
        return text in ("1", "1.0", "True")
    raise DataError(
        f'{path} has the label "{text}", which is none of {", ".join(classes)}, nor 1 or 0.'
    )
