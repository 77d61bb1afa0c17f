"""The state of a training after an epoch, written so that it can go on exactly from there.

Keras's own BackupAndRestore keeps the weights and the optimizer, but not what callbacks know (the
best value so far, how long since, the history), and a run resumed without those ends otherwise
than one never stopped.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lensnet import files
from lensnet.errors import RunError

__all__ = ["restore_checkpoint", "save_checkpoint"]


def save_checkpoint(
    path: Path, model: keras.Model, state: dict[str, Any], more: Sequence[Any] = ()
) -> None:
    """Writes every variable of a compiled model and its optimizer, and a state.

    Args:
        path: the `.npz` file; it is replaced whole or not at all.
        model: compiled. Seeds of dropout are among its variables.
        state: plain values that JSON can hold.
        more: variables of what else takes part in the training.
    """
    arrays = {
        f"variable_{index:05d}": np.asarray(variable)
        for index, variable in enumerate([*_variables(model), *more])
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        np.savez(temporary, state=np.array(json.dumps(state)), allow_pickle=False, **arrays)


def restore_checkpoint(path: Path, model: keras.Model, more: Sequence[Any] = ()) -> dict[str, Any]:
    """Gives a compiled model the variables that `save_checkpoint` wrote.

    Args:
        path: the `.npz` file.
        model: compiled.
        more: the further variables that were saved.

    Returns:
        the state.

    Raises:
        RunError: the file is damaged or belongs to another model.
    """
    try:
        _check_stored(path)
        with np.load(path, allow_pickle=False) as archive:
            state = json.loads(str(archive["state"]))
            names = sorted(name for name in archive.files if name != "state")
            arrays = [archive[name] for name in names]
    except (
        *(OSError, ValueError, KeyError, EOFError),
        *(MemoryError, RecursionError, zipfile.BadZipFile),
    ) as error:
        raise RunError(
            f"The checkpoint {path} cannot be read: {error}. Remove it to train anew."
        ) from None
    variables = [*_variables(model), *more]
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [array.shape for array in arrays]:
        raise RunError(f"The checkpoint {path} belongs to another model or optimizer.")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return state


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
