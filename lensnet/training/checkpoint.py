"""The state of a training after any step, written so that it can go on exactly from there.

Keras's own BackupAndRestore keeps the weights and the optimizer, but not what callbacks know (the
best value so far, how long since, the history) nor, within an epoch, what its metrics have seen,
and a run resumed without those ends otherwise than one never stopped.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from lensnet import files
from lensnet.errors import RunError

__all__ = ["Checkpoint", "metric_values", "read_state", "restore_checkpoint", "save_checkpoint"]


class Checkpoint(NamedTuple):
    """What a checkpoint holds beside the variables that a model is given at once."""

    state: dict[str, Any]
    """Plain values."""
    metrics: list[np.ndarray]
    """What the metrics have seen of the epoch, as `metric_values`; empty between two epochs."""


def metric_values(model: keras.Model) -> list[np.ndarray]:
    """Returns the variables of a built model's loss and metrics."""
    return [keras.ops.convert_to_numpy(variable) for variable in model.metrics_variables]


def save_checkpoint(
    path: Path,
    model: keras.Model,
    state: dict[str, Any],
    more: Sequence[Any] = (),
    metrics: Sequence[np.ndarray] = (),
) -> None:
    """Writes every variable of a compiled model and its optimizer, and a state.

    Args:
        path: the `.npz` file; it is replaced whole or not at all.
        model: compiled. Seeds of dropout are among its variables.
        state: plain values that JSON can hold.
        more: variables of what else takes part in the training.
        metrics: as `metric_values`, within an epoch.
    """
    arrays = {
        f"variable_{index:05d}": np.asarray(variable)
        for index, variable in enumerate([*_variables(model), *more])
    } | {f"metric_{index:05d}": values for index, values in enumerate(metrics)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        np.savez(temporary, state=np.array(json.dumps(state)), allow_pickle=False, **arrays)


def restore_checkpoint(path: Path, model: keras.Model, more: Sequence[Any] = ()) -> Checkpoint:
    """Gives a compiled model the variables that `save_checkpoint` wrote.

    Those of metrics are returned: Keras resets them when an epoch begins.

    Args:
        path: the `.npz` file.
        model: compiled.
        more: the further variables that were saved.

    Returns:
        the state, and the values of metrics.

    Raises:
        RunError: the file is damaged or belongs to another model.
    """
    with _opened(path) as archive:
        state = json.loads(str(archive["state"]))
        names = sorted(archive.files)
        arrays = [archive[name] for name in names if name.startswith("variable_")]
        metrics = [archive[name] for name in names if name.startswith("metric_")]
    variables = [*_variables(model), *more]
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [array.shape for array in arrays]:
        raise RunError(f"The checkpoint {path} belongs to another model or optimizer.")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return Checkpoint(state, metrics)


def read_state(path: Path) -> dict[str, Any]:
    """Returns the state of a checkpoint alone.

    Raises:
        RunError: the file is damaged.
    """
    with _opened(path) as archive:
        return dict(json.loads(str(archive["state"])))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a checkpoint; what goes wrong in the block is its damage."""
    try:
        _check_stored(path)
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except (
        *(OSError, ValueError, KeyError, EOFError, TypeError),
        *(MemoryError, RecursionError, zipfile.BadZipFile),
    ) as error:
        raise RunError(
            f"The checkpoint {path} cannot be read: {error}. Remove it to train anew."
        ) from None


def _check_stored(path: Path) -> None:
    """Refuses members that would unpack into more than there is: `np.savez` packs none."""
    with zipfile.ZipFile(path) as archive:
        packed = [m.filename for m in archive.infolist() if m.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise ValueError(f"{packed[0]} is compressed")


def _variables(model: keras.Model) -> list[Any]:
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]
