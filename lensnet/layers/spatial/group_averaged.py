"""Exact invariance for any network: the mean of its answers over rotations of the image."""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import ops

from lensnet.layers.folding.arrays import cast
from lensnet.layers.folding.graph import FoldedGraph
from lensnet.layers.spatial.image_rotation import rotate_images
from lensnet.symmetry import Group

__all__ = ["GroupAveraged"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupAveraged(keras.Model):
    """Averages a model's answers over all rotations, and reflections, of its input.

    `out(x) = 1 / |G| sum_(g in G) model(g x)`. Rotating x by an element of G reorders the sum, so
    that the result is invariant, exactly, whatever the model (the Reynolds operator; Yarotsky
    2018, arXiv:1804.10306, section 2.1; as test-time augmentation, Dieleman et al. 2015,
    arXiv:1503.07077, section 5.3). It costs |G| times the model; a network that is symmetric by
    construction costs once.

    What the model gives is averaged as it is given: probabilities as probabilities (and they stay
    so), logits as logits, which is their geometric mean and another answer. Outputs must be
    numbers about the whole image; maps would have to be rotated back, and are not.

    It is meant for a trained model and has the model's own weights. It can be trained, too, at
    |G| times the cost; with `stacked` the batch normalisation of a model then sees all rotations at
    once, without it one after the other.

    `layers`, `get_layer`, `input_shape` and `output_shape` are those of the wrapped model, so that
    weights can be carried over by the layers' names.

    Args:
        model: any `keras.Model` or layer that takes one tensor of images. Its outputs may be a
            tensor, a list or a dictionary.
        group: `"c4"`, `"d4"` or `"c2"`, `"d2"`, `"d1"`: groups that map the pixel grid onto itself.
        stacked: whether the rotated images are put to the model as one batch of |G| times as many,
            which is quicker to trace and fills a large accelerator, or in sequence, which takes
            the memory of one batch and on a CPU is quicker to run.

    Input shape:
        (batch, height, width, channels); square for groups that rotate by 90 degrees.

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
                f"GroupAveraged rotates images by multiples of 90 degrees; {self.group} rotates by "
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
                f"{self.name} rotates images, (batch, height, width, channels); got {input_shape}."
            )
        _, height, width, _ = input_shape
        if self._group.rotations == 4 and height != width:
            raise ValueError(
                f"{self.name}: {self.group} rotates images by 90 degrees, which must be square; "
                f"got {height} x {width} pixels."
            )
        if not self.model.built:
            self.model.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        rotated = self._rotated(inputs)
        # Keras drops `training` where a layer does not take it.
        if not self.stacked:
            return _mean([self.model(images, training=training) for images in rotated])
        answers = self.model(ops.concatenate(rotated, axis=0), training=training)
        by_output = [ops.split(output, len(rotated)) for output in keras.tree.flatten(answers)]
        by_turn = [
            keras.tree.pack_sequence_as(answers, list(outputs))
            for outputs in zip(*by_output, strict=True)
        ]
        return _mean(by_turn)

    def fold(self, graph: FoldedGraph, inputs: Any) -> Any:
        rotated = self._rotated(cast(self, inputs))
        if self.stacked:
            structure = graph.apply(self.model, ops.concatenate(rotated, axis=0))
            by_output = [
                ops.split(output, len(rotated), axis=0) for output in keras.tree.flatten(structure)
            ]
        else:
            answers = [graph.apply(self.model, images) for images in rotated]
            structure = answers[0]
            by_output = list(zip(*map(keras.tree.flatten, answers), strict=True))
        means = []
        for i, outputs in enumerate(by_output):
            name = self.name if len(by_output) == 1 else f"{self.name}.{i}"
            dtype = outputs[0].dtype
            # In its own precision at the end, and not in half precision before.
            average = keras.layers.Average(
                dtype=keras.backend.result_type(dtype, "float32"), name=name
            )
            mean = graph.add_layer(average, list(outputs))[1]
            means.append(mean if mean.dtype == dtype else ops.cast(mean, dtype))
        return keras.tree.pack_sequence_as(structure, means)

    def symbolic_input(self) -> Any:
        """A `keras.Input` like that of the wrapped model, or one that is made for its shape."""
        shape = self.get_build_config()["input_shape"]
        given = getattr(self.model, "inputs", None) or [keras.Input(batch_shape=shape)]
        return keras.Input(batch_shape=shape, dtype=given[0].dtype, name=given[0].name)

    def _rotated(self, images: Any) -> list[Any]:
        """The images as each element of the group moves them."""
        group = self._group
        return [
            rotate_images(images, round(group.angle(element) / 90), group.is_reflection(element))
            for element in range(group.order)
        ]

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
