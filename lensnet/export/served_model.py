"""What every format of export holds: from raw images to named outputs, in float32, folded."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lensnet.config.task import TaskSpec
from lensnet.data import Preprocessing
from lensnet.evaluation.precision import in_float32
from lensnet.layers import fold
from lensnet.prediction.predictor import Predictor

__all__ = ["ServedModel", "refuse_other_sizes"]


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model with its preprocessing.

    Args:
        model: from preprocessed images to probabilities or targets, in float32.
        preprocessing: from raw images to preprocessed ones.
        task: what is learned.
        classes: the class names, () for regression.
        not_folded: why the model is not of stock layers alone; None where it is.
    """

    model: keras.Model
    preprocessing: Preprocessing
    task: TaskSpec
    classes: tuple[str, ...]
    not_folded: str | None = None

    @classmethod
    def of(cls, predictor: Predictor) -> ServedModel:
        """Folds a run's model; one that cannot be folded is taken as it is."""
        model, not_folded = in_float32(predictor.model), None
        try:
            model = fold(model)
        except ValueError as error:
            not_folded = str(error)
        task = predictor.experiment.task_spec
        return cls(model, predictor.preprocessing, task, predictor.classes, not_folded)

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a raw image."""
        return self.preprocessing.native_shape

    @property
    def outputs(self) -> dict[str, int]:
        """The names of the outputs, in order, with the columns of each."""
        if self.task.output_columns:
            return dict.fromkeys(self.task.output_columns, 1)
        return {self.task.output_name: int(self.model.output_shape[-1])}

    @functools.cached_property
    def function(self) -> Any:
        """A `tf.function` from `images`, of any number, to the outputs by name.

        Operations of the two parts have names that begin with `preprocessing` and `network`.
        """
        signature = tf.TensorSpec((None, *self.native_shape), tf.float32, name="images")

        @tf.function(input_signature=[signature])
        def serve(images: Any) -> dict[str, Any]:
            with tf.name_scope("preprocessing"):
                preprocessed = self.preprocessing(images)
            with tf.name_scope("network"):
                return self._named(self.model(preprocessed, training=False))

        return serve

    @functools.cached_property
    def keras_model(self) -> keras.Model:
        """A functional model of the same: one output as an array, several by name."""
        images = keras.Input(self.native_shape, dtype="float32", name="images")
        checked = refuse_other_sizes(images, self.native_shape, keras.ops.minimum)
        # Of other bands, a batch of as many images has not as many pixels.
        checked = keras.layers.Reshape(self.native_shape, name="of_these_bands")(checked)
        outputs = self._named(self.model(self.preprocessing.symbolic(checked)))
        if len(outputs) == 1:
            (outputs,) = outputs.values()
        return keras.Model(images, outputs, name=self.model.name)

    def _named(self, outputs: Any) -> dict[str, Any]:
        names = list(self.outputs)
        if len(names) == 1:
            return {names[0]: outputs}
        return {name: outputs[:, at : at + 1] for at, name in enumerate(names)}


def refuse_other_sizes(
    images: Any, shape: tuple[int, int, int], minimum: Callable[[Any, Any], Any]
) -> Any:
    """Changes nothing of images of a size, and lets a model fail for others when it is run.

    LiteRT, and `predict` of Keras once it has seen images of two sizes, give a model images of any
    size, of which convolutions make some answer. Images of another size do not fit to constants of
    a number for each row and for each column.

    Args:
        images: (N, H, W, C).
        shape: (H, W, C).
        minimum: of the kind of tensor that the images are.
    """
    height, width, _ = shape
    largest = np.finfo(np.float32).max
    rows = np.full((1, height, 1, 1), largest, np.float32)
    columns = np.full((1, 1, width, 1), largest, np.float32)
    return minimum(minimum(images, rows), columns)
