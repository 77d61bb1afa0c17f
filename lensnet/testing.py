"""Checks of symmetry, for those who write layers and networks.

A layer is equivariant if rotating its input rotates its output, and an invariant network gives the
same answer to both. `assert_equivariant` says so of any function of images; call `randomize`
first, since at initialisation many layers pass that fail once they are trained.

Example:

>>> import keras, numpy as np
>>> from lensnet.layers import GroupConv2D
>>> layer = GroupConv2D(8, 3, "c4", lifting=True)
>>> images = np.random.default_rng(0).standard_normal((2, 9, 9, 1)).astype("float32")
>>> _ = layer(images)
>>> randomize(layer)
>>> assert_equivariant(layer, images, "c4", outputs="regular")
>>> plain = keras.layers.Conv2D(8, 3, padding="same")
>>> assert_equivariant(plain, images, "c4", outputs="scalar")  # doctest: +ELLIPSIS
Traceback (most recent call last):
AssertionError: Under c4 the output changes by ... of its largest value, more than 1.0e-05.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lensnet.symmetry import Group

__all__ = ["assert_equivariant", "equivariance_error", "randomize"]


def randomize(model: Any, seed: int = 0, gain: float = 1.0) -> None:
    """Replaces every weight and statistic by random values, as training would.

    At initialisation a layer with a scale of one and an offset of zero passes checks that it
    fails once trained. Variances stay positive, and seeds of dropout stay as they are.

    Args:
        model: a model or a layer that is built; it is changed.
        seed: of the random values.
        gain: of kernels. The root of 2 makes up for what a ReLU takes from the signal. Without it
            the signal dies away in a deep network, layer by layer, until its output depends on
            its offsets alone: EfficientNet without symmetry then passes for invariant.

    Example:

    >>> import keras
    >>> layer = keras.layers.BatchNormalization()
    >>> layer.build((None, 4, 4, 3))
    >>> randomize(layer)
    >>> bool((keras.ops.convert_to_numpy(layer.moving_variance) > 0).all())
    True
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
    """Measures the largest change of a function's output under a group.

    Args:
        function: from images (N, H, W, C) to outputs; a layer or a model is one.
        images: square; their channels are scalars, which do not permute.
        group: of rotations by multiples of 90 degrees, with or without reflections, such as
            `Group.parse("d4")`.
        outputs: how outputs transform: `"invariant"`; `"scalar"`, maps that rotate; `"regular"`,
            maps that rotate and whose fields' channels permute.

    Returns:
        the change relative to the largest absolute value of the output.

    Raises:
        AssertionError: the output is zero or not finite, so that nothing would be tested.

    Example:

    >>> images = np.random.default_rng(0).standard_normal((2, 8, 8, 1))
    >>> error = equivariance_error(
    ...     lambda x: x.mean(axis=(1, 2)), images, Group.parse("d4"), outputs="invariant"
    ... )
    >>> error < 1e-12
    True
    """
    elements = range(group.order)
    rotated = np.concatenate([images, *(group.transform(images, g) for g in elements)])
    answers = np.split(_as_numpy(function(rotated)), group.order + 1)
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


def assert_equivariant(
    function: Callable[[np.ndarray], Any],
    images: np.ndarray,
    group: str,
    *,
    outputs: str = "invariant",
    tolerance: float = 1e-5,
) -> None:
    """Asserts that a function's output transforms as it should.

    Args:
        function: see `equivariance_error`.
        images: see `equivariance_error`.
        group: the name of a group, such as `"c4"`.
        outputs: see `equivariance_error`.
        tolerance: the largest change allowed, relative to the largest value of the output. The
            default is what single precision makes of sums in another order.

    Raises:
        AssertionError: the output changes by more, or is zero or not finite.

    Example:

    >>> images = np.random.default_rng(0).standard_normal((2, 8, 8, 1))
    >>> assert_equivariant(lambda x: x.max(axis=(1, 2)), images, "d4")
    """
    error = equivariance_error(function, images, Group.parse(group), outputs=outputs)
    if not error <= tolerance:
        raise AssertionError(
            f"Under {group} the output changes by {error:.1e} of its largest value, more than "
            f"{tolerance:.1e}."
        )


def _as_numpy(outputs: Any) -> np.ndarray:
    if isinstance(outputs, np.ndarray):
        return outputs
    import keras

    return keras.ops.convert_to_numpy(outputs)
