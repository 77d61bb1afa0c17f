"""Temperature scaling: one number that makes a classifier's probabilities come true.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2: the logits are divided by
the temperature with which the likelihood of the validation split is largest. Above 1 it takes
confidence away. It changes no ranking of classes within an image.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import expit, logsumexp  # type: ignore[import-untyped]

from lensnet.errors import DataError
from lensnet.layers import GroupAveraged, accelerate
from lensnet.symmetry import Group

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["Calibration", "calibrate", "fit_temperature", "with_temperature"]

_log = logging.getLogger(__name__)

LAYER = "temperature"
"""The name of the layer that divides the logits."""

# A temperature at either end was not found but run against.
_LOWEST, _HIGHEST = 0.02, 50.0


@dataclass(frozen=True)
class Calibration:
    """What was fitted.

    Args:
        temperature: divides the logits.
        log_loss: of the validation split, before and after.
        is_averaged: whether the probabilities of several versions of an image are averaged.
    """

    temperature: float
    log_loss: tuple[float, float]
    is_averaged: bool = False


def calibrate(model: keras.Model, data: PreparedData) -> tuple[keras.Model, Calibration]:
    """Fits a temperature to the validation split, and returns the model that has it.

    Args:
        model: a classifier as a run saves it. A temperature that it has is fitted anew.
        data: the run's data.

    Raises:
        DataError: the model does not end in its probabilities, or the validation split does not
            tell a temperature: it has one class alone, or none of its images is misjudged.
    """
    networks, group = model, "none"
    if isinstance(model, GroupAveraged):
        networks, group = model.model, model.group
    logits = keras.Model(networks.input, _logits(networks))
    found = fit_temperature(
        data.examples("validation").labels, _rotated_logits(accelerate(logits), group, data)
    )
    return with_temperature(model, found.temperature), found


def fit_temperature(labels: np.ndarray, logits: np.ndarray) -> Calibration:
    """Fits a temperature.

    Args:
        labels: class indices, (N,).
        logits: (N, K), or of class 1 alone, (N, 1); or those of several versions of each image
            whose probabilities are averaged, (V, N, K).

    Raises:
        DataError: as `calibrate`.

    Example:

    Logits twice as large as they should be:

    >>> rng = np.random.default_rng(0)
    >>> labels = rng.integers(0, 2, 20_000)
    >>> logits = rng.normal(labels * 2.0 - 1, 1.0)[:, None] * 2
    >>> round(fit_temperature(labels, 2 * logits).temperature, 1)
    2.0
    """
    labels, logits = np.asarray(labels), np.asarray(logits, dtype=np.float64)
    if len(np.unique(labels)) < 2:
        raise DataError(
            "evaluation.calibration: the validation split has images of one class alone, to which "
            "no temperature can be fitted. Give data.splits.validation more images, or leave "
            "calibration out."
        )
    versions = logits if logits.ndim == 3 else logits[None]

    def loss(log_temperature: float) -> float:
        scaled = versions / math.exp(log_temperature)
        each = _log_probability(labels, scaled)
        return -float(np.mean(logsumexp(each, axis=0) - math.log(len(each))))

    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    if min(best.x - bounds[0], bounds[1] - best.x) < 0.01:
        why = (
            "the network has each of its images right, and would grow the surer the better"
            if best.x < 0
            else "the network's scores tell nothing of it"
        )
        raise DataError(
            f"evaluation.calibration: no temperature can be fitted to the validation split: {why}. "
            "Give data.splits.validation more images, or leave calibration out."
        )
    return Calibration(math.exp(best.x), (loss(0.0), float(best.fun)), len(versions) > 1)


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """Returns a model whose logits are divided by a number before they become probabilities.

    It is Keras's own `Rescaling`, with the weights of the model given.

    Args:
        model: a classifier as a run saves it.
        temperature: above 0; it takes the place of one that the model has.

    Raises:
        DataError: the model does not end in an activation that makes probabilities.

    Example:

    >>> image = keras.Input((2,))
    >>> model = keras.Model(image, keras.layers.Activation("softmax")(image))
    >>> with_temperature(model, 2.0)(np.array([[2.0, 0.0]])).numpy().round(3)
    array([[0.731, 0.269]], dtype=float32)
    """
    if isinstance(model, GroupAveraged):
        inner = with_temperature(model.model, temperature)
        return GroupAveraged(inner, model.group, model.stacked, name=model.name)
    logits, last = _logits(model), model.layers[-1]
    scaled = keras.layers.Rescaling(1 / temperature, dtype="float32", name=LAYER)(logits)
    outputs = keras.layers.Activation(last.activation, dtype="float32", name=last.name)(scaled)
    return keras.Model(model.input, outputs, name=model.name)


def _logits(model: keras.Model) -> Any:
    """The tensor of which a model's last layer makes probabilities.

    Raises:
        DataError: its last layer does not.
    """
    last = model.layers[-1] if getattr(model, "layers", None) else None
    known = (keras.activations.softmax, keras.activations.sigmoid)
    if not isinstance(last, keras.layers.Activation) or last.activation not in known:
        raise DataError(
            "evaluation.calibration: this model has no logits that a temperature could divide: "
            "its last layer is not a softmax or sigmoid alone, as that of a run is."
        )
    before = [layer for layer in model.layers if layer.name == LAYER]
    is_scaled = bool(before) and isinstance(before[0], keras.layers.Rescaling)
    return before[0].input if is_scaled else last.input


def _rotated_logits(model: keras.Model, group: str, data: PreparedData) -> np.ndarray:
    """The logits of the validation split, as each element of the group moves it: (V, N, K)."""
    averaged = Group(1) if group == "none" else Group.parse(group)
    found = []
    for batch, _ in data.batches("validation", 64):
        images = np.asarray(batch)
        moved = [averaged.transform(images, element) for element in range(averaged.order)]
        found.append(np.stack([model.predict_on_batch(version) for version in moved]))
    return np.concatenate(found, axis=1)


def _log_probability(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """The logarithm of the probability of each image's own class: (V, N)."""
    if logits.shape[2] == 1:
        return np.asarray(-np.logaddexp(0, np.where(labels == 1, -1, 1) * logits[:, :, 0]))
    own = logits[:, np.arange(len(labels)), labels]
    return np.asarray(own - logsumexp(logits, axis=2))


def uncalibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Returns what a model gave before it had a temperature.

    Args:
        probabilities: with it: (N, K), or of class 1 alone, (N, 1).
        temperature: that it has.

    Example:

    >>> uncalibrated(np.array([[0.731, 0.269]]), 2.0).round(3)
    array([[0.881, 0.119]])
    """
    tiny = np.finfo(np.float64).tiny
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape[1] == 1:
        logits = np.log(values.clip(tiny)) - np.log1p(-values.clip(max=1 - 1e-16))
        return np.asarray(expit(temperature * logits))
    logarithms = temperature * np.log(values.clip(tiny))
    return np.asarray(np.exp(logarithms - logsumexp(logarithms, axis=1, keepdims=True)))
