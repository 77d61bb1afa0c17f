"""The experiment file as a whole; `problems.py` has the checks that reach across its sections."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from lensnet import registry
from lensnet.config.backbone import BackboneSpec
from lensnet.config.dataset import DatasetOptions, DatasetSpec, SourceLayout
from lensnet.config.ensemble import Ensemble
from lensnet.config.sections import (
    Data,
    Evaluation,
    Model,
    Section,
    Splits,
    Tracking,
    Training,
)
from lensnet.config.task import TaskSpec
from lensnet.errors import ConfigurationError

__all__ = ["Experiment", "Problem", "default_data_dir"]

Problem = tuple[tuple[str, ...], str]
"""The path of a key, and what is wrong there."""


class Experiment(Section):
    """One experiment: what `lensnet fit` reads, and writes back with every default filled in.

    Example:

    >>> experiment = Experiment.model_validate({
    ...     "name": "demo",
    ...     "task": "binary",
    ...     "data": {"dataset": "lens_finding/simulated"},
    ...     "model": {"backbone": "resnet18", "symmetry": "c4"},
    ... })
    >>> experiment.training.loss.name
    'binary_crossentropy'
    """

    name: str = Field(pattern=r"^[\w.+-]+$", description="Also the run folder's name in runs/.")
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Of the weights, the order of images, their augmentation and the bootstrap. "
        "The splits have data.seed.",
    )
    task: str = Field(description="What is learned: classes, one class among all, or a quantity.")
    data: Data
    model: Model
    # A missing loss is filled in by the task, so `training` itself may be missing too.
    training: Training
    evaluation: Evaluation = Field(default_factory=lambda: Evaluation())
    tracking: Tracking = Field(default_factory=lambda: Tracking())
    ensemble: Ensemble | None = Field(
        None, description="In the run folder of an ensemble alone: what `lensnet ensemble` made."
    )

    @model_validator(mode="before")
    @classmethod
    def _loss_follows_task(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or raw.get("task") not in registry.tasks.names():
            return raw
        training = raw.get("training", {})
        if not isinstance(training, dict):
            return raw
        loss = training.get("loss", {})
        if isinstance(loss, dict) and "name" not in loss:
            loss = {"name": registry.tasks.get(raw["task"]).loss, **loss}
        return {**raw, "training": {**training, "loss": loss}}

    @field_validator("task")
    @classmethod
    def _task_exists(cls, name: str) -> str:
        known = registry.tasks.names()
        if name not in known:
            raise PydanticCustomError(
                "literal_error",
                "The task should be one of {expected}",
                {"expected": ", ".join(known)},
            )
        return name

    @property
    def task_spec(self) -> TaskSpec:
        """The specification of `task`, as it is learned by `training.loss`."""
        return registry.tasks.get(self.task).with_loss(self.training.loss.name)

    @property
    def dataset(self) -> DatasetSpec:
        """The specification of `data.dataset`."""
        return registry.datasets.get(self.data.dataset)

    @property
    def dataset_options(self) -> DatasetOptions:
        """`data.options`, checked, with the data set's defaults."""
        return self.dataset.options.model_validate(self.data.options)

    @property
    def reading(self) -> Experiment:
        """The experiment on the data set that says how its files are read.

        That is itself, but for a data set that adds to another: there it is that one.
        """
        based_on = self.dataset_options.based_on
        if based_on is None:
            return self
        return self.model_copy(update={"data": self.data.model_copy(update=based_on)})

    @property
    def backbone(self) -> BackboneSpec:
        """The specification of `model.backbone`."""
        return registry.backbones.get(self.model.backbone)

    @property
    def data_dir(self) -> Path:
        """Where prepared records go."""
        return Path(self.data.data_dir).expanduser() if self.data.data_dir else default_data_dir()

    @property
    def source_dir(self) -> Path | None:
        """The user's files; a relative path is relative to the working directory."""
        return Path(self.data.source_dir).expanduser() if self.data.source_dir else None

    @property
    def layout(self) -> SourceLayout:
        """The classes and splits of the data set, found by listing directories alone.

        Raises:
            DataError: the user's directory is missing or holds no class.
        """
        return self.dataset.layout(self.source_dir, self.dataset_options)

    def with_earlier_defaults(self) -> Experiment:
        """Returns the experiment of a run folder, with what was taken for granted when it was made.

        A run folder writes every default out: a key that it lacks did not exist yet.
        """
        return self._with_unset(seed=self.seed, stratify=False)

    def resuming(self, run: Experiment) -> Experiment:
        """Returns the experiment with the splits of a run that it goes on with.

        Args:
            run: the run's experiment, which counts for whatever this one leaves open.
        """
        return self._with_unset(seed=run.data.seed, stratify=run.data.stratify)

    def _with_unset(self, **values: Any) -> Experiment:
        """Returns the experiment with those keys of `data` that nobody has set."""
        unset = {key: values[key] for key in values.keys() - self.data.model_fields_set}
        data = self.data.model_copy(update=unset)
        return self.model_copy(update={"data": data}) if unset else self

    def resolved(self, splits: Splits | None = None) -> Experiment:
        """Returns the experiment with every default that depends on the data written out.

        Args:
            splits: the splits that were used where `data.splits` left them open.
        """
        data = self.data.model_copy(
            update={
                "options": self.dataset_options.model_dump(),
                "source_dir": str(self.source_dir.resolve()) if self.source_dir else None,
                "data_dir": str(self.data_dir.resolve()),
                # Those of a fold follow from its number.
                "splits": (splits or self.data.splits) if self.training.folds is None else None,
            }
        )
        options = {**self.backbone.options, **self.model.options}
        model = self.model.model_copy(update={"options": options})
        return self.model_copy(update={"data": data, "model": model})


def default_data_dir() -> Path:
    """Returns where prepared records go unless `data.data_dir` says so.

    Raises:
        ConfigurationError: nobody has said so, and this user has no home directory.
    """
    try:
        return Path(os.environ.get("LENSNET_DATA_DIR") or "~/.cache/lensnet").expanduser()
    except RuntimeError:
        raise ConfigurationError(
            "Prepared data would go to ~/.cache/lensnet, and this user has no home directory. Set "
            "data.data_dir, or $LENSNET_DATA_DIR, to a directory of yours."
        ) from None
