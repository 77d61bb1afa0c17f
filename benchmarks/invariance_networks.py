"""The networks of benchmarks/invariance.py: one shape, so wide that all cost the same.

    disk mask
    conv -> c1, downsample      65 -> 33 pixels
    conv -> c1
    conv -> c2, downsample      33 -> 17 pixels
    conv -> c2
    conv -> c3
    mean over the map, maximum over the group: the features
    dense -> 2

`conv` is a convolution without bias, batch normalisation, ReLU, and the disk mask again: outside
the disk a normalised map is constant but not zero, and zero padding at the square's border would
bring the square's own orientation in. Filters are 3x3, and 5x5 where they are made of circular
harmonics or interpolated; channels are chosen such that multiply-adds are those of the c4 network.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
from rotated_images import SIZE

from lensnet.layers import (
    CircularMask,
    FieldNormalization,
    GroupConv2D,
    GroupPool,
    RotationalConv2D,
    SymmetricDownsample2D,
)
from lensnet.symmetry import Symmetry

__all__ = ["EDGE_WIDTH_PIXELS", "NETWORKS", "Shape", "Trained", "build", "features", "train"]

EDGE_WIDTH_PIXELS = 2.0
"""Of the disk masks, of maps as of images."""

EPSILON, MOMENTUM = 1e-5, 0.9
"""Of batch normalisation; PyTorch's default momentum, which counts the other way, is the same."""


@dataclass(frozen=True)
class Shape:
    """What one network is made of.

    Args:
        symmetry: as `lensnet.models.create` takes it.
        kernel_size: side of the filters.
        channels: c1, c2 and c3.
        downsampling: `"blurred"`, after the convolution, or `"strided"`, a convolution of stride 2.
        masks: `"maps"`, after every convolution, or `"image"`, at the input alone.
        pooling: over the group, `"max"` or `"mean"`.
    """

    symmetry: str
    kernel_size: int
    channels: tuple[int, int, int]
    downsampling: str = "blurred"
    masks: str = "maps"
    pooling: str = "max"

    def convolutions(self) -> list[tuple[int | None, int, bool]]:
        """Channels in (None: the image's) and out, and whether a downsampling goes with it."""
        one, two, three = self.channels
        return [
            (None, one, True),
            (one, one, False),
            (one, two, True),
            (two, two, False),
            (two, three, False),
        ]

    def multiply_adds(self) -> int:
        """Of the convolutions, for one image."""
        symmetry = Symmetry.parse(self.symmetry)
        turns = symmetry.group.rotations if symmetry.kind == "rotational" else 1
        total, side = 0, SIZE
        for channels_in, channels_out, downsampled in self.convolutions():
            halved = (side + 1) // 2
            at = halved if downsampled and self.downsampling == "strided" else side
            total += at**2 * self.kernel_size**2 * (channels_in or 1) * channels_out * turns
            side = halved if downsampled else side
        return total

    def request(self) -> dict[str, Any]:
        """What the baseline needs to build the same network."""
        return asdict(self)

    def variants(self) -> dict[str, Shape]:
        """The same network, changed in one respect."""
        return {
            "strided convolutions": replace(self, downsampling="strided"),
            "mask at the input alone": replace(self, masks="image"),
            "mean over the group": replace(self, pooling="mean"),
        }


NETWORKS = (
    Shape("none", 3, (27, 53, 80)),
    Shape("c4", 3, (28, 52, 80)),
    Shape("d4", 3, (24, 56, 80)),
    Shape("c8", 5, (16, 32, 48)),
    Shape("c16", 5, (16, 32, 48)),
    Shape("rot4", 3, (13, 26, 41)),
    Shape("rot8", 5, (6, 10, 16)),
)


def build(shape: Shape, *, gain: float = 1.0, momentum: float = MOMENTUM) -> keras.Model:
    """The network in Keras; it gives the features and the two logits.

    Args:
        shape: the network.
        gain: factor of the standard deviation of the convolutions' initial weights.
        momentum: of batch normalisation.
    """
    symmetry = Symmetry.parse(shape.symmetry)
    order = symmetry.order

    def mask(x: Any) -> Any:
        return CircularMask(EDGE_WIDTH_PIXELS)(x)

    def convolution(channels: int, strides: int, lifting: bool) -> keras.Layer:
        options = {
            "strides": strides,
            "use_bias": False,
            "kernel_initializer": keras.initializers.VarianceScaling(2.0 * gain**2, "fan_in"),
        }
        size = shape.kernel_size
        if symmetry.kind == "regular":
            return GroupConv2D(channels // order, size, shape.symmetry, lifting=lifting, **options)
        turns = symmetry.group.rotations if symmetry.kind == "rotational" else 1
        # One rotation is a plain convolution, padded alike on all sides.
        return RotationalConv2D(channels, size, rotations=turns, **options)

    def normalization() -> keras.Layer:
        if symmetry.kind == "regular":
            return FieldNormalization(shape.symmetry, momentum=momentum, epsilon=EPSILON)
        return keras.layers.BatchNormalization(momentum=momentum, epsilon=EPSILON)

    image = keras.Input((SIZE, SIZE, 1))
    x = mask(image)
    for channels_in, channels_out, downsampled in shape.convolutions():
        strided = downsampled and shape.downsampling == "strided"
        x = convolution(channels_out, 2 if strided else 1, channels_in is None)(x)
        x = keras.layers.ReLU()(normalization()(x))
        if shape.masks == "maps":
            x = mask(x)
        if downsampled and not strided:
            x = SymmetricDownsample2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    if symmetry.kind == "regular":
        x = GroupPool(shape.symmetry, mode=shape.pooling)(x)
    return keras.Model(image, [x, keras.layers.Dense(2)(x)])


def features(shape: Shape, seed: int, images: np.ndarray, rotated: np.ndarray) -> np.ndarray:
    """The features of a network with random weights, its batch norm's statistics from data.

    Args:
        shape: the network.
        seed: of its weights.
        images: from which the statistics are taken, shape (images, SIZE, SIZE).
        rotated: shape (angles, images, SIZE, SIZE).

    Returns:
        shape (angles, images, features).
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(shape)
    for layer in model.layers:
        if hasattr(layer, "moving_mean"):
            layer.momentum = 0.0
    model(images[..., None], training=True)
    return _answers(model, rotated)[0]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network's answers.

    Args:
        accuracy: on the test images.
        scores: the logit of "lens", shape (angles, images).
        right_angles: the same for all test images, rotated by 0, 90, 180 and 270 degrees.
    """

    accuracy: float
    scores: np.ndarray
    right_angles: np.ndarray


def train(shape: Shape, seed: int, data: Any, recipe: dict[str, Any], **changes: float) -> Trained:
    """Trains a network to tell lenses from other galaxies.

    Args:
        shape: the network.
        seed: of its weights.
        data: arrays by name: `train_images`, `train_labels`, `test_images`, `test_labels`,
            `rotated`, and `order`, shape (steps, batch), the images of each step.
        recipe: `learning_rate` at its highest, and `warmup_steps`; it falls as a cosine.
        changes: of the network, as `build` takes them.
    """
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(shape, **changes)
    order = data["order"]
    steps, batch = order.shape
    logits = keras.Model(model.input, model.output[1])
    logits.compile(
        keras.optimizers.Adam(_schedule(steps, **recipe)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    images, labels = data["train_images"], data["train_labels"]
    for part in np.array_split(order, max(1, steps // 100)):
        seen = part.reshape(-1)
        logits.fit(images[seen, ..., None], labels[seen], batch, shuffle=False, verbose=0)
    test = np.stack([np.rot90(data["test_images"], turn, axes=(1, 2)) for turn in range(4)])
    right_angles = _score(_answers(model, test)[1])
    accuracy = float(np.mean((right_angles[0] > 0) == data["test_labels"]))
    return Trained(accuracy, _score(_answers(model, data["rotated"])[1]), right_angles)


def _schedule(steps: int, learning_rate: float, warmup_steps: int) -> Any:
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )


def _answers(model: keras.Model, rotated: np.ndarray) -> list[np.ndarray]:
    """What the model gives, each of shape (angles, images, ...)."""
    flat = rotated.reshape(-1, SIZE, SIZE, 1)
    answers = model.predict(flat, batch_size=64, verbose=0)
    return [answer.reshape(*rotated.shape[:2], -1) for answer in answers]


def _score(logits: np.ndarray) -> np.ndarray:
    return logits[..., 1] - logits[..., 0]
