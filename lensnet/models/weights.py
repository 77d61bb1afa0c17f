"""Starting a network from the weights of another."""

from __future__ import annotations

from pathlib import Path

import keras

from lensnet.errors import ConfigurationError
from lensnet.models.heads import HEAD_PREFIX

__all__ = ["load_weights"]


def load_weights(model: keras.Model, source: str | Path) -> list[str]:
    """Copies the weights of a saved model, layer by layer, by the layers' names.

    The head is copied where it has the same shapes and left as it is where it has not, so that a
    network can be fine-tuned for another task.

    Args:
        model: takes the weights.
        source: a `.keras` file, or a run folder, whose `model.keras` is taken.

    Returns:
        the names of the head's layers that were not copied.

    Raises:
        ConfigurationError: there is no such file, it is no Keras model, or a layer outside the
            head is missing or has other shapes; the first such parameter is named.
    """
    path = Path(source)
    if path.is_dir():
        path = path / "model.keras"
    if path.suffix != ".keras" or not path.is_file():
        raise ConfigurationError(
            f"model.weights is a .keras file or a run folder that holds model.keras; got {source}."
        )
    try:
        other = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ConfigurationError(f"{path} cannot be read as a Keras model: {error}") from None
    theirs = {layer.name: layer for layer in other.layers if layer.weights}
    left_out = []
    for layer in model.layers:
        if not layer.weights:
            continue
        problem = _difference(layer, theirs.get(layer.name))
        if problem is None:
            layer.set_weights(theirs[layer.name].get_weights())
        elif layer.name.startswith(HEAD_PREFIX):
            left_out.append(layer.name)
        else:
            raise ConfigurationError(f"The weights of {path} do not fit {model.name}: {problem}.")
    return left_out


def _difference(ours: keras.Layer, theirs: keras.Layer | None) -> str | None:
    """Words the first parameter that differs, or None."""
    if theirs is None:
        return f'it has no layer "{ours.name}"'
    if len(ours.weights) != len(theirs.weights):
        return (
            f'the layer "{ours.name}" has {len(ours.weights)} parameters here and '
            f"{len(theirs.weights)} there"
        )
    for mine, other in zip(ours.weights, theirs.weights, strict=True):
        if tuple(mine.shape) != tuple(other.shape):
            return (
                f'"{ours.name}.{mine.name}" has shape {tuple(mine.shape)} here and '
                f"{tuple(other.shape)} there"
            )
    return None
