"""Starting a network from the weights of another."""

from __future__ import annotations

import logging
from pathlib import Path

import keras
import numpy as np

from lensnet import registry
from lensnet.errors import ConfigurationError, RunError
from lensnet.models.building import build_network
from lensnet.models.heads import HEAD_PREFIX
from lensnet.models.kit import make_kit
from lensnet.models.model_reading import read_model
from lensnet.models.position_resampling import POSITIONS, fit_positions
from lensnet.models.symmetric_initialization import initialize_from_plain
from lensnet.models.timm_weights import (
    adapt_first_convolution,
    load_timm_weights,
    without_classifier,
)

__all__ = ["load_weights"]

_log = logging.getLogger(__name__)

_TIMM_PREFIX = "timm/"


def load_weights(model: keras.Model, source: str | Path) -> list[str]:
    """Copies the weights of a saved model, layer by layer, by the layers' names.

    The head is copied where it has the same shapes and left as it is where it has not, so that a
    network can be fine-tuned for another task. Weights of a plain network can start a symmetric
    one where the mathematics allows it (`lensnet.models.symmetric_initialization`). What was
    adapted is logged.

    Args:
        model: takes the weights.
        source: one of

            - a `.keras` file, or a run folder, whose `model.keras` is taken;
            - a `.safetensors` file with timm's parameter names;
            - `timm/<name>.<tag>`, such as `timm/resnet50.a1_in1k`: fetched through huggingface_hub
              into its cache. The model has the name `<name>` and width 1. These networks were
              trained on three colours; see `adapt_first_convolution` for other bands.

    Returns:
        the names of the head's layers that were not copied.

    Raises:
        ConfigurationError: there is no such source, it cannot be fetched or read, or a layer
            outside the head is missing or has other shapes; the first such parameter is named.
    """
    name = str(source)
    if name.startswith(_TIMM_PREFIX):
        left_out = _load_state(model, _read_safetensors(_fetch(name, model.name)), name)
    elif name.endswith(".safetensors"):
        left_out = _load_state(model, _read_safetensors(Path(name)), name)
    else:
        left_out = _load_keras(model, Path(name))
    if left_out:
        _log.info("Weights of %s: the head starts anew (%s).", name, ", ".join(left_out))
    return left_out


# --- Keras files --------------------------------------------------------------------------------


def _load_keras(model: keras.Model, path: Path) -> list[str]:
    if path.is_dir():
        path = path / "model.keras"
    if path.suffix != ".keras" or not path.is_file():
        raise ConfigurationError(
            "model.weights is a .keras or .safetensors file, a run folder that holds model.keras, "
            f"or timm/<name>.<tag>; got {path}."
        )
    try:
        other = read_model(path)
    except RunError as error:
        raise ConfigurationError(f"{path} cannot be read as a Keras model: {error}") from None
    if _is_plain(other) and not _is_plain(model):
        return initialize_from_plain(model, other)
    theirs = {layer.name: layer.get_weights() for layer in other.layers if layer.weights}
    if POSITIONS in theirs:
        theirs[POSITIONS] = fit_positions(model, theirs[POSITIONS])
    found, left_out = [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        problem = _difference(layer, theirs.get(layer.name))
        if problem is None:
            found.append((layer, theirs[layer.name]))
        elif layer.name.startswith(HEAD_PREFIX):
            left_out.append(layer.name)
        else:
            raise ConfigurationError(f"The weights of {path} do not fit {model.name}: {problem}.")
    for layer, weights in found:
        layer.set_weights(weights)
    return left_out


def _is_plain(model: keras.Model) -> bool:
    """Whether no layer of a model has a symmetry."""
    return not any(hasattr(layer, "group") or hasattr(layer, "rotations") for layer in model.layers)


def _difference(ours: keras.Layer, theirs: list[np.ndarray] | None) -> str | None:
    """Words the first parameter that differs, or None."""
    if theirs is None:
        return f'it has no layer "{ours.name}"'
    if len(ours.weights) != len(theirs):
        return (
            f'the layer "{ours.name}" has {len(ours.weights)} parameters here and {len(theirs)} '
            "there"
        )
    for mine, other in zip(ours.weights, theirs, strict=True):
        if tuple(mine.shape) != other.shape:
            return (
                f'"{ours.name}.{mine.name}" has shape {tuple(mine.shape)} here and {other.shape} '
                "there"
            )
    return None


# --- timm's files -------------------------------------------------------------------------------


def _fetch(name: str, model_name: str) -> Path:
    """Fetches a checkpoint of timm's, or finds it in the cache."""
    architecture = name.removeprefix(_TIMM_PREFIX).partition(".")[0]
    if architecture != model_name:
        raise ConfigurationError(
            f'"{name}" holds weights of {architecture}, and the backbone is {model_name}.'
        )
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise ConfigurationError(
            f"To fetch {name}, install what fetches it: pip install 'lensnet[pretrained]'."
        ) from None
    try:
        return Path(huggingface_hub.hf_hub_download(name, "model.safetensors"))
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigurationError(
            f"{name} could not be fetched ({type(error).__name__}: {reason}). Without a network, "
            "fetch its model.safetensors elsewhere and give the path of that file as model.weights."
        ) from None


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        import safetensors
        from safetensors.numpy import load_file
    except ImportError:
        raise ConfigurationError(
            f"To read {path}, install what reads it: pip install 'lensnet[pretrained]'."
        ) from None
    try:
        return load_file(path)
    except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ConfigurationError(f"{path} cannot be read as safetensors: {error}") from None


def _load_state(model: keras.Model, state: dict[str, np.ndarray], source: str) -> list[str]:
    """Loads timm's parameters into a network of any symmetry, whatever its head and bands."""
    plain = model if _is_plain(model) else _plain_counterpart(model)
    state, adapted = adapt_first_convolution(plain, state)
    head = [layer for layer in plain.layers if layer.name.startswith(HEAD_PREFIX)]
    head = [layer for layer in head if layer.weights]
    classes = state.get(f"{registry.backbones.get(model.name).classifier}.bias")
    same_head = len(head) == 1 and classes is not None and classes.shape == head[0].bias.shape
    if not same_head:
        state = without_classifier(model.name, state)
    load_timm_weights(plain, state, skip_head=not same_head)
    if adapted:
        _log.info("Weights of %s: %s.", source, adapted)
    if plain is not model:
        initialize_from_plain(model, plain)
    return [] if same_head else [layer.name for layer in head]


def _plain_counterpart(model: keras.Model) -> keras.Model:
    """The plain network of a symmetric one's name, with the same bands and outputs."""
    has_head = any(layer.name.startswith(HEAD_PREFIX) for layer in model.layers)
    return build_network(
        registry.backbones.get(model.name),
        make_kit("none"),
        input_shape=model.input_shape[1:],
        num_outputs=model.output_shape[-1] if has_head else 0,
    )
