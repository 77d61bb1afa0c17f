"""What no single section of an experiment file can see: the checks that reach across them."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError

from lensnet import registry
from lensnet.config.dataset import SourceLayout
from lensnet.config.experiment import Experiment, Problem
from lensnet.config.fresh import fresh_problems
from lensnet.config.repeated_runs import own_splits_problems, repetition_problems
from lensnet.errors import did_you_mean

__all__ = ["problems"]


def problems(experiment: Experiment, *, check_source: bool = True) -> list[Problem]:
    """Lists what no single section can see: `((key, ...), message)` for each problem.

    Args:
        experiment: as it was read.
        check_source: whether to look into `data.source_dir`. The experiment of a run folder
            was checked when the run began, and its images may lie elsewhere since.

    Raises:
        DataError: the user's directory is missing or holds no class.
    """
    found: list[Problem] = fresh_problems(experiment)
    # Without new images the files need not be there for the file to be wrong.
    found += _dataset_problems(experiment, check_source and not found)
    found += _augmentation_problems(experiment)
    found += _backbone_problems(experiment)
    found += _training_problems(experiment)
    found += repetition_problems(experiment)
    found += _evaluation_problems(experiment)
    return found


def _dataset_problems(experiment: Experiment, check_source: bool) -> list[Problem]:
    key = ("data", "dataset")
    known = registry.datasets.names()
    if experiment.data.dataset not in known:
        return [(key, _unknown_name("data set", experiment.data.dataset, known))]
    spec = experiment.dataset
    found: list[Problem] = []
    try:
        spec.options.model_validate(experiment.data.options)
    except ValidationError as error:
        # The loader words these; here they only must not pass.
        found += [(("data", "options", *map(str, e["loc"])), e["msg"]) for e in error.errors()]
        return found
    tasks = map(registry.tasks.get, registry.tasks.names())
    served = [task.name for task in tasks if spec.serves(task)]
    if experiment.task not in served:
        found.append(
            (
                ("task",),
                f'the data set "{spec.name}" serves {" or ".join(served)}, not {experiment.task}',
            )
        )
    if spec.needs_source_dir and experiment.source_dir is None:
        found.append(
            (
                ("data", "source_dir"),
                f'the data set "{spec.name}" reads your files: say where they are',
            )
        )
        return found
    if not spec.needs_source_dir and experiment.source_dir is not None:
        found.append(
            (
                ("data", "source_dir"),
                f'the data set "{spec.name}" reads no files; remove source_dir, or name a '
                "data set that does (see `lensnet datasets`)",
            )
        )
        return found
    return found + _layout_problems(experiment) if check_source else found


def _layout_problems(experiment: Experiment) -> list[Problem]:
    """Lists where the task or the splits do not fit what the data offer."""
    found: list[Problem] = []
    layout = experiment.layout
    task = experiment.task_spec
    if bool(layout.classes) != task.predicts_classes:
        offers = f"classes ({', '.join(layout.classes)})" if layout.classes else "targets"
        found.append(
            (
                ("task",),
                f"the data offer {offers} by data.options, and not what {experiment.task} needs",
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
    found += own_splits_problems(experiment, layout.splits)
    return found + _split_problems(experiment, layout)


def _split_problems(experiment: Experiment, layout: SourceLayout) -> list[Problem]:
    splits = experiment.data.splits
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
            (("data", "splits", part), _unknown_name("split", name, known))
            for part, value in splits.model_dump().items()
            for name in [value.partition("[")[0].strip()]
            if name not in known
        ]
    return []


def _augmentation_problems(experiment: Experiment) -> list[Problem]:
    refused = experiment.task_spec.refused_augmentations
    return [
        (
            ("data", "augmentation"),
            f"{augmentation.name} {refused[augmentation.name]}: leave it out for "
            f"task {experiment.task}",
        )
        for augmentation in experiment.data.augmentation
        if augmentation.name in refused
    ]


def _backbone_problems(experiment: Experiment) -> list[Problem]:
    name = experiment.model.backbone
    if name not in registry.backbones:
        return [
            (
                ("model", "backbone"),
                _unknown_name("backbone", name, registry.backbones.names()),
            )
        ]
    spec = experiment.backbone
    found: list[Problem] = [
        (
            ("model", "options", key),
            f'unknown option of "{name}".{did_you_mean(key, spec.options)} Allowed: '
            f"{', '.join(spec.options) or 'none'}",
        )
        for key in experiment.model.options
        if key not in spec.options
    ]
    key = "crop" if experiment.data.image_size is None else "image_size"
    size = getattr(experiment.data, key)
    if size is not None and size < spec.minimum_size:
        found.append(
            (
                ("data", key),
                f'"{name}" needs images of {spec.minimum_size} pixels or more; got {size}',
            )
        )
    return found


def _training_problems(experiment: Experiment) -> list[Problem]:
    found: list[Problem] = []
    task, training = experiment.task_spec, experiment.training
    if training.loss.name not in task.losses:
        found.append(
            (
                ("training", "loss", "name"),
                f"{training.loss.name} does not fit task {experiment.task}; allowed: "
                f"{', '.join(task.losses)}",
            )
        )
    transform = experiment.data.target_transform
    if task.predicts_classes and transform != "standardised":
        found.append(
            (
                ("data", "target_transform"),
                f"{transform} is of the targets of a regression, and task {task.name} has "
                "classes: leave it out",
            )
        )
    if not task.predicts_classes and experiment.data.balance != "none":
        found.append(
            (
                ("data", "balance"),
                f"{experiment.data.balance} needs classes, and task {task.name} has none",
            )
        )
    steps, strategy = training.gradient_accumulation_steps, training.strategy
    if steps > 1 and strategy in ("mirrored", "multi_worker", "tpu"):
        found.append(
            (
                ("training", "gradient_accumulation_steps"),
                f"Keras accumulates gradients on one device only, and strategy is "
                f"{strategy}: use auto or one_device, or leave it out",
            )
        )
    return found + _schedule_problems(experiment)


def _schedule_problems(experiment: Experiment) -> list[Problem]:
    """Lists where schedule and stopping do not fit the length or the metrics of training."""
    training, task = experiment.training, experiment.task_spec
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
        (path, _unknown_name("monitor", name, monitors))
        for path, name in watched.items()
        if name is not None and name not in monitors
    ]


def _evaluation_problems(experiment: Experiment) -> list[Problem]:
    found: list[Problem] = []
    task, evaluation = experiment.task_spec, experiment.evaluation
    if evaluation.calibration != "none" and not task.predicts_classes:
        found.append(
            (
                ("evaluation", "calibration"),
                f"{evaluation.calibration} is of the probabilities of classes, and task "
                f"{task.name} has none: leave it out, or learn a sigma by training.loss: "
                "gaussian_nll",
            )
        )
    if evaluation.prevalence is not None and not task.is_search:
        found.append(
            (
                ("evaluation", "prevalence"),
                f"is the share of the class that a binary task looks for, and task {task.name} "
                "looks for none: leave it out",
            )
        )
    return found


def _unknown_name(kind: str, name: str, known: Collection[str]) -> str:
    """Words the problem of a name that is not among the known ones."""
    return f'there is no {kind} "{name}".{did_you_mean(name, known)} Allowed: {", ".join(known)}'
