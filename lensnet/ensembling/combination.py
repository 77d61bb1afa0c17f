"""How the answers of several networks become one: in NumPy to choose by, in Keras to be saved.

What is combined of each network is its *part*, (N, K): probabilities, logits, targets, or targets
with their sigma. The layers are Keras's own, so that an ensemble of stock networks is stock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops
from scipy.special import expit, log_softmax, softmax  # type: ignore[import-untyped]

from lensnet.config.task import TaskSpec
from lensnet.evaluation.metrics import SMALLEST_PROBABILITY

__all__ = [
    "Combination",
    "GaussianMixture",
    "MeanOfLogits",
    "MeanOfProbabilities",
    "MeanOfTargets",
    "combination_of",
]

# Of a division in float32: what is smaller has no digits left.
_SMALLEST = 1e-30


class Combination(Protocol):
    """One way to combine."""

    def part(self, model: keras.Model) -> Any:
        """Returns the tensor of a functional model that is combined."""

    def layers(self, parts: Sequence[Any], weights: Sequence[float]) -> Any:
        """Adds the layers that combine parts, and returns the answer, as a run's model gives it."""

    def combined(self, parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Returns the answers (N, K) of parts (M, N, K) with weights (M,) that add up to 1."""

    def loss(
        self, parts: np.ndarray, weights: np.ndarray, labels: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Returns what fitted weights make small, convex in them, and its gradient (M,).

        Args:
            parts: (M, N, K).
            weights: (M,), none below 0, adding up to 1.
            labels: class indices or targets, (N,).
        """


def combination_of(task: TaskSpec, combine: str) -> Combination:
    """Returns how the networks of a task are combined.

    Args:
        task: with its loss.
        combine: `"probabilities"` or `"logits"`.
    """
    if not task.predicts_classes:
        return GaussianMixture() if task.outputs_per_target > 1 else MeanOfTargets()
    return MeanOfLogits() if combine == "logits" else MeanOfProbabilities()


class _MeanOfAnswers:
    """The weighted mean of what the networks answer.

    Attributes:
        answer: the name of its layers.
    """

    answer: str

    def part(self, model: keras.Model) -> Any:
        return model.output

    def layers(self, parts: Sequence[Any], weights: Sequence[float]) -> Any:
        return _weighted_sum(parts, weights, self.answer)

    def combined(self, parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return _mean(parts, weights)


class MeanOfProbabilities(_MeanOfAnswers):
    """The weighted mean of probabilities, `sum_i w_i p_i`; with one column, that of class 1.

    Example:

    >>> parts = np.array([[[0.2]], [[0.6]]])
    >>> float(MeanOfProbabilities().combined(parts, np.array([0.5, 0.5]))[0, 0])
    0.4
    """

    answer = "probabilities"

    def loss(
        self, parts: np.ndarray, weights: np.ndarray, labels: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The log loss."""
        if parts.shape[-1] == 1:
            of_truth = np.where(labels == 1, parts[..., 0], 1 - parts[..., 0])
        else:
            of_truth = parts[:, np.arange(len(labels)), labels]
        return _log_loss_of_mixture(np.maximum(of_truth, SMALLEST_PROBABILITY), weights)


class MeanOfLogits:
    """The softmax, or with one column the sigmoid, of the weighted mean of logits.

    That is the normalised geometric mean of the probabilities: one member that is sure against a
    class can veto it.

    Example:

    >>> parts = np.array([[[0.0]], [[2.0]]])
    >>> round(float(MeanOfLogits().combined(parts, np.array([0.5, 0.5]))[0, 0]), 4)
    0.7311
    """

    def part(self, model: keras.Model) -> Any:
        last, node, _ = model.output._keras_history
        if isinstance(last, keras.layers.Activation):
            if keras.activations.serialize(last.activation) in ("softmax", "sigmoid"):
                return last._inbound_nodes[node].input_tensors[0]
        # One that averages probabilities has no logits, but these give its probabilities.
        smallest, largest = SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY
        probabilities = ops.clip(model.output, smallest, largest)
        logarithms = ops.log(probabilities)
        if model.output.shape[-1] > 1:
            return logarithms
        return ops.subtract(logarithms, ops.log(ops.subtract(1.0, probabilities)))

    def layers(self, parts: Sequence[Any], weights: Sequence[float]) -> Any:
        activation = "sigmoid" if parts[0].shape[-1] == 1 else "softmax"
        last = keras.layers.Activation(activation, dtype="float32", name="probabilities")
        return last(_weighted_sum(parts, weights, "logits"))

    def combined(self, parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        logits = _mean(parts, weights)
        answer: np.ndarray = expit(logits) if parts.shape[-1] == 1 else softmax(logits, axis=-1)
        return answer

    def loss(
        self, parts: np.ndarray, weights: np.ndarray, labels: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The log loss."""
        logits, count = _mean(parts, weights), len(labels)
        if parts.shape[-1] == 1:
            sign = np.where(labels == 1, -1.0, 1.0)
            wrong = sign * logits[:, 0]
            slope = sign * expit(wrong) / count
            return float(np.mean(np.logaddexp(0, wrong))), parts[..., 0] @ slope
        rows = np.arange(count)
        slopes = softmax(logits, axis=-1)
        slopes[rows, labels] -= 1
        loss = -float(np.mean(log_softmax(logits, axis=-1)[rows, labels]))
        return loss, np.einsum("mnk,nk->m", parts, slopes) / count


class MeanOfTargets(_MeanOfAnswers):
    """The weighted mean of targets, in their own unit."""

    answer = "target"

    def loss(
        self, parts: np.ndarray, weights: np.ndarray, labels: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The mean squared error, as a share of the targets' variance."""
        unit = float(np.std(labels)) or 1.0
        errors = (parts[..., 0] - labels) / unit
        error = weights @ errors
        return float(np.mean(error**2)), 2 * errors @ error / len(labels)


class GaussianMixture:
    """Mean and standard deviation of the mixture of the networks' Gaussians.

    `mean = sum_i w_i m_i` and `sigma^2 = sum_i w_i (s_i^2 + (m_i - mean)^2)`: what the networks see
    in the data, and by how much they disagree (Lakshminarayanan et al. 2017, arXiv:1612.01474).

    Example:

    >>> parts = np.array([[[1.0, 3.0]], [[9.0, 3.0]]])
    >>> GaussianMixture().combined(parts, np.array([0.5, 0.5])).tolist()
    [[5.0, 5.0]]
    """

    def part(self, model: keras.Model) -> Any:
        return model.output

    def layers(self, parts: Sequence[Any], weights: Sequence[float]) -> Any:
        if len(parts) == 1:
            return parts[0]
        means, sigmas = [part[:, :1] for part in parts], [part[:, 1:] for part in parts]
        mean = _weighted_sum(means, weights, "target")
        deviations = [ops.abs(ops.subtract(one, mean)) for one in means]
        # Squares of masses in eV or solar masses may not fit into a float32: in units of the
        # largest of these they do.
        unit = keras.layers.Maximum(dtype="float32", name="unit")([*sigmas, *deviations])
        unit = ops.maximum(unit, _SMALLEST)
        squares = [
            ops.add(ops.square(sigma / unit), ops.square(deviation / unit))
            for sigma, deviation in zip(sigmas, deviations, strict=True)
        ]
        sigma = ops.multiply(ops.sqrt(_weighted_sum(squares, weights, "variance")), unit)
        return keras.layers.Concatenate(dtype="float32", name="target_and_sigma")([mean, sigma])

    def combined(self, parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        means, sigmas = parts[..., 0], parts[..., 1]
        mean = weights @ means
        variance = weights @ (sigmas**2 + (means - mean) ** 2)
        return np.stack([mean, np.sqrt(variance)], axis=-1)

    def loss(
        self, parts: np.ndarray, weights: np.ndarray, labels: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """The negative logarithm of the mixture's likelihood, but for a constant."""
        sigma = np.maximum(parts[..., 1], np.finfo(np.float32).tiny)
        logarithm = -(((parts[..., 0] - labels) / sigma) ** 2) / 2 - np.log(sigma)
        # An example's largest likelihood is its unit: the ratios do not underflow all at once.
        largest = logarithm.max(axis=0)
        likelihoods = np.maximum(np.exp(logarithm - largest), 1e-300)
        loss, gradient = _log_loss_of_mixture(likelihoods, weights)
        return loss - float(np.mean(largest)), gradient


def _mean(parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean over the first axis."""
    mean: np.ndarray = np.tensordot(weights, parts, axes=1)
    return mean


def _log_loss_of_mixture(likelihoods: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of `-ln sum_i w_i L_i` of likelihoods (M, N), and its gradient (M,)."""
    mixture = np.maximum(weights @ likelihoods, 1e-300)
    return -float(np.mean(np.log(mixture))), -(likelihoods / mixture).mean(axis=1)


def _weighted_sum(parts: Sequence[Any], weights: Sequence[float], name: str) -> Any:
    """Keras's own layers that weigh tensors and add them up."""
    if len(parts) == 1:
        return parts[0]
    weighted = [
        keras.layers.Rescaling(weight, dtype="float32", name=f"{name}_weight_{number}")(part)
        for number, (part, weight) in enumerate(zip(parts, weights, strict=True), 1)
    ]
    return keras.layers.Add(dtype="float32", name=f"{name}_mean")(weighted)
