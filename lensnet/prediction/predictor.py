"""A trained model together with the preprocessing it was trained with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lensnet.config import Experiment
from lensnet.errors import RunError
from lensnet.layers import accelerate
from lensnet.prediction.columns import Columns
from lensnet.prediction.loading import check_input_shape, load
from lensnet.registry import load_object
from lensnet.run_folder import RunFolder

__all__ = ["Predictor", "open_single_network"]


@dataclass(frozen=True)
class Predictor:
    """Takes raw images and gives what the task asks for.

    Args:
        model: from preprocessed images to probabilities or targets.
        preprocessing: from raw images to preprocessed ones. Where it has a `native_shape`, as that
            of a run has, images of another shape are refused in words.
        classes: the class names, () for regression.
        experiment: the run's experiment.

    Example:

    Of a run it is made by `Predictor.open("runs/quickstart")`; by hand:

    >>> experiment = Experiment.model_validate({
    ...     "name": "demo",
    ...     "task": "binary",
    ...     "data": {"dataset": "lens_finding/simulated"},
    ...     "model": {"backbone": "resnet18"},
    ... })
    >>> image = keras.Input((1, 1, 1))
    >>> logit = keras.layers.Flatten()(image)
    >>> model = keras.Model(image, keras.layers.Activation("sigmoid")(logit))
    >>> predictor = Predictor(model, lambda images: images - 5.0, ("galaxy", "lens"), experiment)
    >>> predictor.scores(np.full((1, 1, 1, 1), 5.0, "float32")).tolist()
    [[0.5, 0.5]]
    """

    model: keras.Model
    preprocessing: Any
    classes: tuple[str, ...]
    experiment: Experiment

    @classmethod
    def open(cls, run_dir: str | Path) -> Predictor:
        """Opens a run.

        Raises:
            RunError: there is no such run, or it has no model yet, or is damaged.
        """
        from lensnet.data.pipeline.preprocessing import Preprocessing

        run = RunFolder.open(run_dir)
        data, experiment = run.read_data(), run.read_experiment()
        model = load(run.path)
        check_input_shape(model, data, run)
        return cls(
            model=accelerate(model),
            preprocessing=Preprocessing.from_dict(data.preprocessing.to_dict()),
            classes=data.classes,
            experiment=experiment,
        )

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a raw image."""
        return tuple(self.preprocessing.native_shape)

    @property
    def columns(self) -> Columns:
        """How an output reads in a table."""
        return load_object(self.experiment.task_spec.columns)(self.classes)

    @property
    def score_names(self) -> list[str]:
        """What the columns of `scores` are."""
        return self.columns.score_names

    def __call__(self, images: Any) -> np.ndarray:
        """Gives probabilities or targets.

        Args:
            images: raw: a batch (batch, height, width, channels), one image, of one band also
                without its channel axis; or the name of an image file, or a list of such.

        Returns:
            (batch, classes), or (batch, 1) for a binary task, the probability of class 1, and for
            regression; (batch, 2), prediction and sigma, where its loss was `gaussian_nll`. One
            image is a batch of one.

        Raises:
            DataError: the images have another shape than those of the training, or a file is not
                there or no usable image.
        """
        if hasattr(self.preprocessing, "native_shape"):
            from lensnet.data.files.file_reader import FileReader
            from lensnet.prediction.raw_images import raw_batch

            reader = FileReader.from_options(self.experiment.dataset_options)
            images = raw_batch(images, self.native_shape, reader)
        return np.asarray(self.model.predict_on_batch(self.preprocessing(images)))

    def scores(self, images: Any) -> np.ndarray:
        """Gives what calling does, with a column for each class in a binary task, too.

        Args:
            images: as of calling.
        """
        return self.columns.scores(self(images))


def open_single_network(run_dir: str | Path, what: str) -> Predictor:
    """Opens a run of one network; those of an ensemble have no layer in common.

    Args:
        run_dir: the run folder.
        what: is asked of it, such as "feature maps".

    Raises:
        RunError: as `Predictor.open`; or it is an ensemble.
    """
    run = RunFolder.open(run_dir)
    if run.is_ensemble:
        raise RunError(
            f"{run.path} is an ensemble, and each of its networks has {what} of its own. Name the "
            "run of one of its members; its report lists them."
        )
    return Predictor.open(run_dir)
