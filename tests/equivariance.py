"""One check of equivariance, used everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from lensnet.symmetry import Group

__all__ = ["assert_equivariant", "equivariance_error", "randomize"]


def randomize(model: Any, seed: int = 0, gain: float = 1.0) -> None:
    """Replaces every weight and statistic by random values, as training would.

    At initialisation a layer with a scale of one and an offset of zero passes checks that it
    fails once trained. Variances stay positive.

    Args:
        model: a model or a layer, to be changed.
        seed: of the draws.
        gain: of kernels. The root of 2 makes up for what a ReLU takes from the signal. Without it
            the signal dies away in a deep network, layer by layer, until its output depends on
            its offsets alone: EfficientNet without symmetry then passes for invariant.
    """
    rng = np.random.default_rng(seed)
    layers = [layer for layer in getattr(model, "layers", [model]) if hasattr(layer, "kernel")]
    depthwise = {layer.kernel.path for layer in layers if "Depthwise" in type(layer).__name__}
    for variable in model.variables:
        if "seed" in variable.path:
            continue
        value = rng.standard_normal(variable.shape)
        if variable.path.endswith("variance"):
            value = rng.uniform(0.5, 1.5, variable.shape)
        elif variable.path.endswith("gamma"):
            value = 1 + 0.2 * value
        elif len(variable.shape) > 1:
            fan_in = np.prod(variable.shape[:-1])
            if variable.path in depthwise and variable.shape[-1] == 1:
                fan_in = np.prod(variable.shape[:-2])  # a channel sees itself alone
            value = gain * value / np.sqrt(fan_in)
        else:
            value = 0.1 * value
        variable.assign(value.astype("float32"))


def equivariance_error(
    function: Callable[[np.ndarray], Any],
    images: np.ndarray,
    group: Group,
    *,
    outputs: str,
) -> float:
    """The largest change of the output under the group, relative to its largest value.

    Args:
        function: images (N, H, W, C) to outputs.
        images: square.
        group: c4 or d4, or a subgroup.
        outputs: how outputs transform: `"invariant"`; `"scalar"`, maps that turn; `"regular"`,
            maps that turn and whose fields' channels permute.
    """
    elements = range(group.order)
    turned = np.concatenate([images, *(group.transform(images, g) for g in elements)])
    answers = np.split(_numpy(function(turned)), group.order + 1)
    reference = answers[0]
    largest = np.abs(reference).max()
    if not np.isfinite(largest) or largest == 0:
        raise AssertionError("The reference output is zero or not finite: nothing is tested.")
    error = 0.0
    for element, answer in zip(elements, answers[1:], strict=True):
        expected = reference
        if outputs != "invariant":
            expected = group.transform(expected, element)
        if outputs == "regular":
            fields = expected.reshape(*expected.shape[:-1], -1, group.order)
            expected = fields[..., group.regular_permutation(element)].reshape(expected.shape)
        error = max(error, float(np.abs(answer - expected).max() / largest))
    return error


def _numpy(outputs: Any) -> np.ndarray:
    return outputs if isinstance(outputs, np.ndarray) else keras.ops.convert_to_numpy(outputs)


def assert_equivariant(
    function: Callable[[np.ndarray], Any],
    images: np.ndarray,
    group: str,
    *,
    outputs: str = "invariant",
    tolerance: float = 1e-5,
) -> None:
    """Asserts that `equivariance_error` is at most the tolerance."""
    error = equivariance_error(function, images, Group.parse(group), outputs=outputs)
    if not error <= tolerance:
        raise AssertionError(f"Under {group} the output changes by {error:.1e} of its largest.")
