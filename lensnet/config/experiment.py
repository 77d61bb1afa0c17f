"""The experiment file as a whole, and the checks that reach across its sections."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from lensnet import registry
from lensnet.config.backbone import BackboneSpec
from lensnet.config.dataset import DatasetOptions, DatasetSpec, SourceLayout
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
from lensnet.errors import ConfigurationError, did_you_mean

__all__ = ["Experiment", "default_data_dir"]

# The path of a key, and what is wrong there.
Problem = tuple[tuple[str, ...], str]


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
    seed: int = Field(0, ge=0, le=2**31 - 1)
    task: str = Field(description="What is learned: classes, one class among all, or a quantity.")
    data: Data
    model: Model
    # A missing loss is filled in by the task, so `training` itself may be missing too.
    training: Training
    evaluation: Evaluation = Field(default_factory=lambda: Evaluation())
    tracking: Tracking = Field(default_factory=lambda: Tracking())

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

    def problems(self, *, check_source: bool = True) -> list[Problem]:
        """Lists what no single section can see: `((key, ...), message)` for each problem.

        Args:
            check_source: whether to look into `data.source_dir`. The experiment of a run folder
                was checked when the run began, and its images may lie elsewhere since.

        Raises:
            DataError: the user's directory is missing or holds no class.
        """
        found: list[Problem] = []
        found += self._dataset_problems(check_source)
        found += self._augmentation_problems()
        found += self._backbone_problems()
        found += self._training_problems()
        return found

    def _dataset_problems(self, check_source: bool) -> list[Problem]:
        key = ("data", "dataset")
        if self.data.dataset not in registry.datasets.names():
            return [(key, unknown_name("data set", self.data.dataset, registry.datasets.names()))]
        spec = self.dataset
        found: list[Problem] = []
        try:
            spec.options.model_validate(self.data.options)
        except ValidationError as error:
            # The loader words these; here they only must not pass.
            found += [(("data", "options", *map(str, e["loc"])), e["msg"]) for e in error.errors()]
            return found
        tasks = map(registry.tasks.get, registry.tasks.names())
        served = [task.name for task in tasks if spec.serves(task)]
        if self.task not in served:
            found.append(
                (
                    ("task",),
                    f'the data set "{spec.name}" serves {" or ".join(served)}, not {self.task}',
                )
            )
        if spec.needs_source_dir and self.source_dir is None:
            found.append(
                (
                    ("data", "source_dir"),
                    f'the data set "{spec.name}" reads your files: say where they are',
                )
            )
            return found
        if not spec.needs_source_dir and self.source_dir is not None:
            found.append(
                (
                    ("data", "source_dir"),
                    f'the data set "{spec.name}" reads no files; remove source_dir, or name a '
                    "data set that does (see `lensnet datasets`)",
                )
            )
            return found
        return found + self._layout_problems() if check_source else found

    def _layout_problems(self) -> list[Problem]:
        """Lists where the task or the splits do not fit what the data offer."""
        found: list[Problem] = []
        layout = self.layout
        task = self.task_spec
        if bool(layout.classes) != task.predicts_classes:
            offers = f"classes ({', '.join(layout.classes)})" if layout.classes else "targets"
            found.append(
                (
                    ("task",),
                    f"the data offer {offers} by data.options, and not what {self.task} needs",
                )
            )
            return found
        count = len(layout.classes)
        needed = "two" if task.num_classes == 2 else task.num_classes
        if task.num_classes is not None and layout.classes and count != task.num_classes:
            found.append(
                (
                    ("task",),
                    f"{task.name} needs {needed} classes; the data set has {count} "
                    f"({', '.join(layout.classes)}). Use classification",
                )
            )
        elif count == 1:
            found.append(
                (("task",), f"{task.name} needs two classes or more; found {layout.classes[0]}")
            )
        return found + self._split_problems(layout)

    def _split_problems(self, layout: SourceLayout) -> list[Problem]:
        splits = self.data.splits
        if splits is None:
            return []
        if splits.are_fractions and layout.splits:
            own = {name: f"{name}[:90%]" for name in layout.splits}
            return [
                (
                    ("data", "splits"),
                    f"the data set brings its own splits ({', '.join(layout.splits)}): leave "
                    "data.splits out to use them, or write slices of them such as "
                    f'"{next(iter(own.values()))}"',
                )
            ]
        if not splits.are_fractions:
            known = layout.splits or ("train", "validation", "test")
            return [
                (("data", "splits", part), unknown_name("split", name, known))
                for part, value in splits.model_dump().items()
                for name in [value.partition("[")[0].strip()]
                if name not in known
            ]
        return []

    def _augmentation_problems(self) -> list[Problem]:
        refused = self.task_spec.refused_augmentations
        return [
            (
                ("data", "augmentation"),
                f"{augmentation.name} {refused[augmentation.name]}: leave it out for "
                f"task {self.task}",
            )
            for augmentation in self.data.augmentation
            if augmentation.name in refused
        ]

    def _backbone_problems(self) -> list[Problem]:
        name = self.model.backbone
        if name not in registry.backbones:
            return [
                (
                    ("model", "backbone"),
                    unknown_name("backbone", name, registry.backbones.names()),
                )
            ]
        spec = self.backbone
        found: list[Problem] = [
            (
                ("model", "options", key),
                f'unknown option of "{name}".{did_you_mean(key, spec.options)} Allowed: '
                f"{', '.join(spec.options) or 'none'}",
            )
            for key in self.model.options
            if key not in spec.options
        ]
        size = self.data.image_size
        if size is not None and size < spec.minimum_size:
            found.append(
                (
                    ("data", "image_size"),
                    f'"{name}" needs images of {spec.minimum_size} pixels or more; got {size}',
                )
            )
        return found

    def _training_problems(self) -> list[Problem]:
        found: list[Problem] = []
        task = self.task_spec
        if self.training.loss.name not in task.losses:
            found.append(
                (
                    ("training", "loss", "name"),
                    f"{self.training.loss.name} does not fit task {self.task}; allowed: "
                    f"{', '.join(task.losses)}",
                )
            )
        transform = self.data.target_transform
        if task.predicts_classes and transform != "standardised":
            found.append(
                (
                    ("data", "target_transform"),
                    f"{transform} is of the targets of a regression, and task {task.name} has "
                    "classes: leave it out",
                )
            )
        if not task.predicts_classes and self.data.balance != "none":
            found.append(
                (
                    ("data", "balance"),
                    f"{self.data.balance} needs classes, and task {task.name} has none",
                )
            )
        several = ("mirrored", "multi_worker", "tpu")
        if self.training.gradient_accumulation_steps > 1 and self.training.strategy in several:
            found.append(
                (
                    ("training", "gradient_accumulation_steps"),
                    f"Keras accumulates gradients on one device only, and strategy is "
                    f"{self.training.strategy}: use auto or one_device, or leave it out",
                )
            )
        return found + self._schedule_problems()

    def _schedule_problems(self) -> list[Problem]:
        """Lists where schedule and stopping do not fit the length or the metrics of training."""
        training, task = self.training, self.task_spec
        schedule, key = training.schedule, ("training", "schedule")
        found: list[Problem] = []
        if schedule.warmup_epochs > training.epochs:
            found.append(
                (
                    (*key, "warmup_epochs"),
                    f"a warm-up of {schedule.warmup_epochs:g} epochs is longer than the training "
                    f"({training.epochs})",
                )
            )
        zero_after = schedule.zero_after(training.optimizer.learning_rate, training.epochs)
        if zero_after is not None:
            found.append(
                (
                    (*key, "decay_epochs"),
                    f"the learning rate is zero after {zero_after:g} of {training.epochs} epochs; "
                    "choose a longer or slower decay, a final_fraction above 0 where the schedule "
                    "has one, or fewer training.epochs",
                )
            )
        start = getattr(training.weight_averaging, "start_epoch", None)
        if start is not None and start > training.epochs:
            found.append(
                (
                    ("training", "weight_averaging", "start_epoch"),
                    f"epoch {start} comes after the end of the training ({training.epochs})",
                )
            )
        monitors = tuple(task.monitors)
        watched = {(*key, "monitor"): getattr(schedule, "monitor", None)}
        if training.early_stopping is not None:
            watched["training", "early_stopping", "monitor"] = training.early_stopping.monitor
        return found + [
            (path, unknown_name("monitor", name, monitors))
            for path, name in watched.items()
            if name is not None and name not in monitors
        ]

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
                "splits": splits or self.data.splits,
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


def unknown_name(kind: str, name: str, known: Any) -> str:
    """Words the problem of a name that is not among the known ones."""
    return f'there is no {kind} "{name}".{did_you_mean(name, known)} Allowed: {", ".join(known)}'
