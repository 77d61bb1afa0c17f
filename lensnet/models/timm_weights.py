"""Reading weights that carry timm's names and PyTorch's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from lensnet import registry
from lensnet.errors import ConfigurationError
from lensnet.layers.tokens.table import is_table
from lensnet.models.heads import HEAD_PREFIX
from lensnet.models.position_resampling import POSITIONS, fit_positions

__all__ = ["adapt_first_convolution", "load_timm_weights", "without_classifier"]

# What timm calls a layer's weights, by what Keras calls them.
_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def load_timm_weights(
    model: keras.Model, state: Mapping[str, np.ndarray], *, skip_head: bool = False
) -> None:
    """Gives a plain network the weights of the same network of timm.

    Every parameter must fit and none may be left over; the classifier's go to the output layer. Of
    a transformer for images of another size the vectors of positions are resampled, as timm does
    it (`lensnet.models.position_resampling`), which is logged.

    Args:
        model: made by `lensnet.models.create` with symmetry `none` and no dense layers in its
            head, with as many outputs as the classifier has.
        state: timm's parameter names to arrays, as PyTorch lays them out: a convolution (out, in /
            groups, height, width), a dense layer (out, in).
        skip_head: leave the head as it is; `state` then has no classifier.

    Raises:
        ConfigurationError: a parameter is missing, left over or of another shape; the first is
            named. No weight is changed then.
    """
    classifier = registry.backbones.get(model.name).classifier
    left = {name: array for name, array in state.items() if "num_batches_tracked" not in name}
    if POSITIONS in left:
        (left[POSITIONS],) = fit_positions(model, [np.asarray(left[POSITIONS])])
    found = []
    for layer in model.layers:
        is_head = layer.name.startswith(HEAD_PREFIX)
        if not layer.weights or (is_head and skip_head):
            continue
        prefix = classifier if layer.name == f"{HEAD_PREFIX}logits" else layer.name
        values = []
        for variable, name in _parameters(layer, prefix):
            if name not in left:
                raise _misfit(model, f'there is no parameter "{name}"')
            array = _to_keras(layer, np.asarray(left.pop(name)))
            if tuple(array.shape) != tuple(variable.shape):
                raise _misfit(
                    model,
                    f"\"{name}\" has shape {tuple(array.shape)} in Keras's order, the network's "
                    f"has {tuple(variable.shape)}",
                )
            values.append(array)
        found.append((layer, values))
    if left:
        raise _misfit(model, f'the network has no parameter "{next(iter(left))}"')
    for layer, values in found:
        layer.set_weights(values)


def adapt_first_convolution(
    model: keras.Model, state: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], str | None]:
    """Fits the first convolution's filters, made for red, green and blue, to the model's bands.

    Each band gets the sum of the three filters, divided by the number of bands: an image that is
    the same in every band is answered as a grey image was.

    Returns:
        the state, and what was done in words, or None where nothing had to be.
    """
    layer = next(layer for layer in model.layers if layer.weights)
    name, bands = f"{layer.name}.weight", model.input_shape[-1]
    filters = state.get(name)
    if filters is None or filters.ndim != 4 or filters.shape[1] == bands:
        return dict(state), None
    summed = filters.sum(axis=1, keepdims=True)
    adapted = np.repeat(summed, bands, axis=1) / bands
    words = (
        f'the filters of the first convolution ("{layer.name}") are the sum over the '
        f"{filters.shape[1]} colours, divided by the number of bands ({bands})"
    )
    return {**state, name: adapted}, words


def without_classifier(model_name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state without its last dense layer."""
    classifier = registry.backbones.get(model_name).classifier
    return {key: array for key, array in state.items() if not key.startswith(f"{classifier}.")}


def _misfit(model: keras.Model, problem: str) -> ConfigurationError:
    return ConfigurationError(f"The weights do not fit {model.name}: {problem}.")


def _parameters(layer: keras.Layer, prefix: str) -> Iterator[tuple[Any, str]]:
    """Each weight of a layer with timm's name for it."""
    for variable in layer.weights:
        is_scale = isinstance(layer, keras.layers.DepthwiseConv2D) and layer.kernel_size == (1, 1)
        if is_scale or is_table(layer):
            yield variable, prefix  # a parameter by itself
        else:
            yield variable, f"{prefix}.{_NAMES[variable.name]}"


def _to_keras(layer: keras.Layer, array: np.ndarray) -> np.ndarray:
    """An array in the order of Keras's axes."""
    if is_table(layer):
        return array
    if isinstance(layer, keras.layers.Dense) and array.ndim >= 2:
        return array.reshape(array.shape[:2]).T
    if array.ndim == 2:  # a dense layer, here a pointwise convolution
        return array.T[None, None]
    if array.ndim == 1 and isinstance(layer, keras.layers.DepthwiseConv2D) and not layer.use_bias:
        return array[None, None, :, None]
    if array.ndim == 3:
        return array.transpose(2, 1, 0)
    if array.ndim == 4:
        is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        return array.transpose(2, 3, 0, 1) if is_depthwise else array.transpose(2, 3, 1, 0)
    return array
