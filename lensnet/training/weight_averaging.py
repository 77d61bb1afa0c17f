"""A mean of the weights, which is validated and saved while the training goes on with its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from lensnet.config.averaging import ExponentialAverage, StochasticAverage
from lensnet.training.batch_statistics import batch_statistics, normalizations_of

__all__ = ["WeightAveraging"]


class WeightAveraging(keras.callbacks.Callback):
    """Keeps an exponential or a plain mean of a model's weights.

    The statistics of normalisations are averaged like the weights by an exponential average, as
    timm does, whose steps lie close together; for a plain mean they are taken anew from the
    epoch's images (Izmailov et al. 2018, algorithm 1). Keras's `use_ema` averages trainable weights
    alone, begins at random weights, and its `SwapEMAWeights` rounds the weights that the training
    goes on with.

    Args:
        section: which mean.
        model: made in the scope of its strategy, where this is made, too.
        epochs: of the whole training.
        batches_per_step: whose gradients make one step of the optimizer.
        images_of: gives the batches of images of an epoch, counted from 0; needed for a plain mean
            of a model with normalisations.
    """

    def __init__(
        self,
        section: ExponentialAverage | StochasticAverage,
        model: keras.Model,
        epochs: int,
        batches_per_step: int = 1,
        images_of: Callable[[int], Iterable[Any]] | None = None,
    ):
        super().__init__()
        self.section = section
        self.epochs = epochs
        self.batches_per_step = batches_per_step
        self.images_of = images_of
        self.count = 0
        self._epoch = 0
        self._weights = [weight for weight in model.weights if "float" in str(weight.dtype)]
        self.variables = [
            keras.Variable(
                keras.ops.convert_to_numpy(weight),
                dtype=weight.dtype,
                trainable=False,
                aggregation="only_first_replica",
                name="average",
            )
            for weight in self._weights
        ]
        self._move = self._compiled()

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps beside the variables."""
        return {"count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.count = state["count"]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if isinstance(self.section, ExponentialAverage):
            if (batch + 1) % self.batches_per_step == 0:
                self._average(1 - self._decay(self.section.decay))
        elif batch + 1 == self.params["steps"]:
            # Before the validation, which is to see the mean with this epoch in it.
            if self._epoch >= self.section.first_epoch(self.epochs):
                self._average(1 / (self.count + 1))
                self._take_statistics()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._swapped = self.applied()
        self._swapped.__enter__()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._swapped.__exit__(None, None, None)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Gives the model the mean, and afterwards its own weights back, bit for bit."""
        if not self.count:
            yield
            return
        own = [keras.ops.copy(keras.ops.convert_to_tensor(weight)) for weight in self._weights]
        self._assign(self.variables)
        try:
            yield
        finally:
            self._assign(own)

    def _take_statistics(self) -> None:
        """Gives the mean the statistics that its own normalisations see."""
        layers = normalizations_of(self.model)
        if not layers or self.images_of is None:
            return
        with self.applied():
            taken = batch_statistics(self.model, self.images_of(self._epoch - 1))
        averages = {id(w): own for w, own in zip(self._weights, self.variables, strict=True)}
        for layer, (mean, variance) in zip(layers, taken, strict=True):
            averages[id(layer.moving_mean)].assign(mean)
            averages[id(layer.moving_variance)].assign(variance)

    def _assign(self, values: list[Any]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.assign(value)

    def _decay(self, most: float) -> float:
        return min(most, (1 + self.count) / (10 + self.count))

    def _average(self, share: float) -> None:
        self._move(keras.ops.convert_to_tensor(share if self.count else 1.0, "float32"))
        self.count += 1

    def _compiled(self) -> Any:
        import tensorflow as tf

        @tf.function
        def move(share: Any) -> None:
            for average, weight in zip(self.variables, self._weights, strict=True):
                change = keras.ops.cast(share, weight.dtype) * (weight - average)
                # Of the first mean nothing is to be left, not even a rounding.
                average.assign(keras.ops.where(share < 1, average + change, weight))

        return move
