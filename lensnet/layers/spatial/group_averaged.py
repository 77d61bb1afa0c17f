"""Exact invariance for any network: the mean of its answers over a group's turns of the image."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from lensnet.symmetry import Group

__all__ = ["GroupAveraged"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupAveraged(keras.Model):
    """Averages a model's answers over all turns, and mirrorings, of its input.

    `out(x) = 1 / |G| sum_(g in G) model(g x)`. Turning x by an element of G reorders the sum, so
    that the result is invariant, exactly, whatever the model (the Reynolds operator; Yarotsky
    2018, arXiv:1804.10306, section 2.1; as test-time augmentation, Dieleman et al. 2015,
    arXiv:1503.07077, section 5.3). It costs |G| times the model; a network that is symmetric by
    construction costs once.

    What the model gives is averaged as it is given: probabilities as probabilities (and they stay
    so), logits as logits, which is their geometric mean and another answer. Outputs must be
    numbers about the whole image; maps would have to be turned back, and are not.

    It is meant for a trained model and has the model's own weights. It can be trained, too, at
    |G| times the cost; with `stacked` the batch normalisation of a model then sees all turns at
    once, without it one after the other.

    `layers`, `get_layer`, `input_shape` and `output_shape` are those of the wrapped model, so that
    weights can be carried over by the layers' names.

    Args:
        model: any `keras.Model` or layer that takes one tensor of images. Its outputs may be a
            tensor, a list or a dictionary.
        group: `"c4"`, `"d4"` or `"c2"`, `"d2"`, `"d1"`: groups that map the pixel grid onto itself.
        stacked: whether the turns are put to the model as one batch of |G| times as many images,
            which is quicker to trace and fills a large accelerator, or in sequence, which takes
            the memory of one batch and on a CPU is quicker to run.

    Input shape:
        (batch, height, width, channels); square for groups that turn by 90 degrees.

    Output shape:
        that of the model.

    Raises:
        ValueError: the group does not map the grid onto itself, or the images are not square.

    Example:

    >>> import keras, numpy as np
    >>> image = keras.Input((8, 8, 1))
    >>> logits = keras.layers.Dense(3)(keras.layers.Flatten()(image))
    >>> averaged = GroupAveraged(keras.Model(image, logits), "c4")
    >>> x = np.random.default_rng(0).standard_normal((2, 8, 8, 1)).astype("float32")
    >>> one, other = averaged(x), averaged(np.rot90(x, axes=(1, 2)).copy())
    >>> bool(np.allclose(*map(keras.ops.convert_to_numpy, (one, other)), atol=1e-6))
    True
    """

    def __init__(
        self, model: keras.Model | keras.Layer, group: str, stacked: bool = False, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.group = str(group)
        self.stacked = stacked
        self._group = Group.parse(self.group)
        if not self._group.exact_on_grid:
            raise ValueError(
                f"GroupAveraged turns images by multiples of 90 degrees; {self.group} turns by "
                f"{360 / self._group.rotations:g}. Use c4 or d4."
            )
        self.model = model
        # A functional model has its weights already; then so has this one.
        input_shape = getattr(model, "input_shape", None)
        if model.built and isinstance(input_shape, tuple):
            self.build(input_shape)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 4:
            raise ValueError(
                f"{self.name} turns images, (batch, height, width, channels); got {input_shape}."
            )
        _, height, width, _ = input_shape
        if self._group.rotations == 4 and height != width:
            raise ValueError(
                f"{self.name}: {self.group} turns images by 90 degrees, which must be square; got "
                f"{height} x {width} pixels."
            )
        if not self.model.built:
            self.model.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        turned = [self._turned(inputs, element) for element in range(self._group.order)]
        # Keras drops `training` where a layer does not take it.
        if not self.stacked:
            return _mean([self.model(images, training=training) for images in turned])
        answers = self.model(ops.concatenate(turned, axis=0), training=training)
        by_output = [ops.split(output, len(turned)) for output in keras.tree.flatten(answers)]
        by_turn = [
            keras.tree.pack_sequence_as(answers, list(outputs))
            for outputs in zip(*by_output, strict=True)
        ]
        return _mean(by_turn)

    def _turned(self, images: Any, element: int) -> Any:
        """The images as `Group.transform` turns them.

        By reversals and a transposition: Keras's `rot90` is wrong for images that are not square
        (3.15.1 with TensorFlow, two quarter turns).
        """
        quarter_turns = round(self._group.angle(element) / 90)
        reversed_axes = (set[int](), {2}, {1, 2}, {1})[quarter_turns]
        if self._group.is_reflection(element):
            reversed_axes = reversed_axes ^ {2}
        if reversed_axes:
            images = ops.flip(images, axis=tuple(sorted(reversed_axes)))
        return ops.transpose(images, (0, 2, 1, 3)) if quarter_turns % 2 else images

    @property
    def layers(self) -> list[keras.Layer]:
        """The layers of the wrapped model."""
        return list(getattr(self.model, "layers", [self.model]))

    @property
    def input_shape(self) -> Any:
        """That of the wrapped model."""
        return self.model.input_shape

    @property
    def output_shape(self) -> Any:
        """That of the wrapped model."""
        return self.model.output_shape

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        return self.model.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "group": self.group,
            "stacked": self.stacked,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> GroupAveraged:
        model = keras.saving.deserialize_keras_object(
            config["model"], custom_objects=custom_objects
        )
        return cls(**{**config, "model": model})


def _mean(answers: list[Any]) -> Any:
    """The mean of equal structures of tensors, each in its own precision."""

    def mean(*tensors: Any) -> Any:
        dtype = keras.backend.result_type(tensors[0].dtype, "float32")
        total = functools.reduce(ops.add, [ops.cast(tensor, dtype) for tensor in tensors])
        return ops.cast(total / len(tensors), tensors[0].dtype)

    return keras.tree.map_structure(mean, *answers)
