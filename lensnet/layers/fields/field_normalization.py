"""Batch normalisation that treats the channels of a field alike."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.batch_normalization import (
    batch_moments,
    normalize_batch,
    synchronized_moments,
)
from lensnet.layers.fields.field_layer import FieldLayer
from lensnet.layers.folding.arrays import to_numpy
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.folding.scales import normalize

__all__ = ["FieldNormalization"]


@keras.saving.register_keras_serializable(package="lensnet")
class FieldNormalization(FieldLayer):
    """Batch normalisation with one mean, variance, scale and offset for each regular field.

    Stock batch normalisation keeps these for every channel. A field's channels change places when
    the image is rotated, so that breaks the symmetry as soon as the values differ, which after
    training they do. (Weiler & Cesa 2019, arXiv:1911.08251, section 2.6; Ioffe & Szegedy 2015,
    arXiv:1502.03167.)

    Args:
        group: the fields' group, such as `"d4"`.
        momentum: of the moving statistics. 0.9 as in timm; Keras's 0.99 lags too far behind on
            data sets of a few thousand images.
        epsilon: added to the variance.
        center, scale: whether to learn an offset and a scale.
        beta_initializer, gamma_initializer: of the offset and the scale.

    Attributes:
        synchronized: whether the statistics of a training step are those of the batches of all
            replicas together, as with `keras.layers.BatchNormalization(synchronized=True)`; needs
            the TensorFlow backend. It is a matter of the training, and is not saved.

    Input shape:
        (batch, ..., fields * |G|), `channel = field * |G| + element`.

    Output shape:
        that of the input.

    Raises:
        ValueError: channels that are not whole fields.

    Example:

    >>> import keras
    >>> x = keras.random.normal((8, 5, 5, 12))
    >>> layer = FieldNormalization("c4")
    >>> tuple(layer(x, training=True).shape), tuple(layer.gamma.shape)
    ((8, 5, 5, 12), (3,))
    """

    fold_absorbed = True

    def __init__(
        self,
        group: str,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ):
        super().__init__(group, **kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.synchronized = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)

        def weight(name: str, initializer: Any, **options: Any) -> Any:
            return self.add_weight(
                name=name,
                shape=(self._fields,),
                initializer=initializer,
                autocast=False,
                **options,
            )

        self.gamma = weight("gamma", self.gamma_initializer) if self.scale else None
        self.beta = weight("beta", self.beta_initializer) if self.center else None
        # Of several replicas each sees a part of the batch; all keep the mean of what they saw.
        follows = {"trainable": False, "aggregation": "mean"}
        self.moving_mean = weight("moving_mean", "zeros", **follows)
        self.moving_variance = weight("moving_variance", "ones", **follows)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        # Half precision overflows in the squares: statistics are taken in float32 or better.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = ops.cast(inputs, dtype)
        if training and self.trainable:
            mean, variance = self._moments(x)
            self._follow(self.moving_mean, mean)
            self._follow(self.moving_variance, variance)
            if not self.synchronized:
                outputs = normalize_batch(
                    x, mean, variance, self.gamma, self.beta, self.epsilon, self._group.order
                )
                return ops.cast(outputs, self.compute_dtype)
        else:
            mean = ops.cast(self.moving_mean, dtype)
            variance = ops.cast(self.moving_variance, dtype)
        scale = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            scale = scale * ops.cast(self.gamma, dtype)
        offset = -mean * scale
        if self.beta is not None:
            offset = offset + ops.cast(self.beta, dtype)
        outputs = x * self._to_channels(scale) + self._to_channels(offset)
        return ops.cast(outputs, self.compute_dtype)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        weights = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        by_channel = [to_numpy(self._to_channels(values)) for values in weights]
        return normalize(graph, self, inputs, *by_channel)

    def _moments(self, x: Any) -> tuple[Any, Any]:
        """The mean and variance of each field in a batch, or in those of all replicas."""
        if not self.synchronized:
            return batch_moments(x, self._group.order)
        by_field = ops.reshape(x, (-1, self._fields, self._group.order))
        return synchronized_moments(by_field, axes=(0, 2))

    def _follow(self, moving: Any, value: Any) -> None:
        value = ops.stop_gradient(value)
        moving.assign(moving * self.momentum + ops.cast(value, moving.dtype) * (1 - self.momentum))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
        }
