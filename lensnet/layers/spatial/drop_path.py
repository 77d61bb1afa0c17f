"""Stochastic depth."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["DropPath"]


@keras.saving.register_keras_serializable(package="lensnet")
class DropPath(keras.layers.Layer):
    """Stochastic depth: leaves out a residual branch for some examples of a batch.

    In training `out = in b / (1 - rate)`, where b is 0 with probability `rate` and else 1, drawn
    for each example (Huang et al. 2016, arXiv:1603.09382, section 3). It is put at the end of a
    residual branch. All of a map is kept or left out, so it suits every symmetry and none.

    Deviations from the paper, as in timm: b is drawn for each example and not for a whole batch,
    and the branch is scaled up in training rather than down at inference, where this layer does
    nothing.

    Args:
        rate: the probability of leaving a branch out, at least 0 and below 1.
        seed: of the random draws; None for one of its own.

    Input shape:
        (batch, ...).

    Output shape:
        that of the input.

    Raises:
        ValueError: a rate out of range.

    Example:

    >>> import keras
    >>> branch = keras.ops.ones((4, 2, 2, 3))
    >>> sums = keras.ops.sum(DropPath(0.5, seed=0)(branch, training=True), axis=(1, 2, 3))
    >>> set(keras.ops.convert_to_numpy(sums).tolist()) <= {0.0, 24.0}
    True
    """

    fold_transparent = True

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate is at least 0 and below 1; got {rate!r}.")
        self.rate = rate
        self.seed = seed
        self.supports_masking = True
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        each_example = (None, *(1 for _ in inputs.shape[1:]))
        return keras.random.dropout(
            inputs, self.rate, noise_shape=each_example, seed=self.seed_generator
        )

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        return graph.leave_out(self, inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
