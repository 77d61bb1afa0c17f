"""The runs of an ensemble, and whether they can be one; imports no framework."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from lensnet.config import Experiment
from lensnet.config.ensemble import EnsembleOptions
from lensnet.config.sections import Splits
from lensnet.csv_tables import read_dicts
from lensnet.errors import ConfigurationError, RunError
from lensnet.run_documents import DataDescription
from lensnet.run_folder import RunFolder

__all__ = ["MemberRun", "check_experiments_alike", "check_options", "open_members"]

_log = logging.getLogger(__name__)

# What decides which images there are, and which are in which split.
_SAME_IMAGES = ("dataset", "options", "source_dir", "seed", "stratify", "splits")
# What makes of them what a network takes.
_SAME_INPUT = ("crop", "image_size", "repeat_channels", "normalization")


class _Problem(NamedTuple):
    """Why two experiments cannot be one ensemble, and the key in which they differ."""

    key: str
    words: str


@dataclass(frozen=True)
class MemberRun:
    """A finished run that is to be a member.

    Args:
        run: its folder.
        experiment: what it was.
        data: what it was trained on.
        test_ids: the test images, as its predictions name them.
        times: how often it was named, and so counts.
    """

    run: RunFolder
    experiment: Experiment
    data: DataDescription
    test_ids: frozenset[str]
    times: int = 1

    @property
    def name(self) -> str:
        """The folder, as it was named."""
        return str(self.run.path)


def open_members(paths: Sequence[str | Path], options: EnsembleOptions) -> list[MemberRun]:
    """Opens runs, and checks that they can be one.

    Args:
        paths: run folders. One that is named several times counts as often.
        options: how they are to be combined.

    Raises:
        RunError: one is not a run, or not finished, or damaged; or they differ in task, classes,
            the images that they take, or the splits, so that a test image of one could be one that
            another was trained on.
        ConfigurationError: the options do not fit the task.
    """
    found: dict[Path, MemberRun] = {}
    for path in paths:
        run = RunFolder.open(path)
        known = found.get(run.path.resolve())
        if known is not None:
            found[run.path.resolve()] = replace(known, times=known.times + 1)
            continue
        run.check()
        found[run.path.resolve()] = MemberRun(
            run, run.read_experiment(), run.read_data(), _test_ids(run)
        )
    members = list(found.values())
    for member in members:
        if member.times > 1:
            _log.warning("%s is named %d times, and counts as often.", member.name, member.times)
    check_options(members[0].experiment, options)
    for other in members[1:]:
        _check_alike(members[0], other, options)
    return members


def check_experiments_alike(experiments: Sequence[tuple[str, Experiment]]) -> None:
    """Checks, before any of them is fitted, that experiments can become an ensemble.

    Args:
        experiments: each with the name of its file.

    Raises:
        ConfigurationError: they cannot; its `key` is one in which the last file named differs.
    """
    (first, one), *others = experiments
    for name, other in others:
        problem = _task_problem(one, other) or _data_problem(one, other, _SAME_IMAGES)
        problem = problem or _data_problem(one, other, _SAME_INPUT)
        if problem:
            raise ConfigurationError(_not_one(first, name, problem.words), key=problem.key)


def check_options(experiment: Experiment, options: EnsembleOptions) -> None:
    """Checks that what is asked for fits the task.

    Raises:
        ConfigurationError: it does not.
    """
    if options.combine == "logits" and not experiment.task_spec.predicts_classes:
        raise ConfigurationError(
            f"combine: logits is of tasks with classes; the task is {experiment.task}, whose "
            "targets have one mean. Leave it out.",
            key="combine",
        )


def _check_alike(one: MemberRun, other: MemberRun, options: EnsembleOptions) -> None:
    """Checks that two runs can be members of one ensemble.

    No run shares an image between its own training and test split. With the same prepared records
    and the same test images, none has been trained on a test image of another.
    """
    task = _task_problem(one.experiment, other.experiment)
    problem = (
        (task and task.words)
        or _classes_problem(one.data, other.data)
        or _records_problem(one, other)
        or _splits_problem(one.experiment, other.experiment, options)
        or _test_problem(one, other)
        or _input_problem(one, other)
    )
    if problem:
        raise RunError(_not_one(one.name, other.name, problem))


def _not_one(one: str, other: str, problem: str) -> str:
    return f"{one} and {other} cannot be one ensemble: {problem}."


def _task_problem(one: Experiment, other: Experiment) -> _Problem | None:
    if one.task != other.task:
        return _Problem("task", f"their tasks are {one.task} and {other.task}")
    if one.task_spec.outputs_per_target != other.task_spec.outputs_per_target:
        has = ["a sigma" if e.task_spec.outputs_per_target > 1 else "none" for e in (one, other)]
        losses = " and ".join(e.training.loss.name for e in (one, other))
        return _Problem(
            "training.loss.name",
            f"their predictions have {' and '.join(has)} (training.loss is {losses})",
        )
    return None


def _classes_problem(one: DataDescription, other: DataDescription) -> str | None:
    if one.classes != other.classes:
        return f"their classes are ({', '.join(one.classes)}) and ({', '.join(other.classes)})"
    if one.native_shape != other.native_shape:
        return f"their images have the shapes {one.native_shape} and {other.native_shape}"
    return None


def _records_problem(one: MemberRun, other: MemberRun) -> str | None:
    """Words where two runs know other images; None where their prepared records are the same."""
    known = one.data.records, other.data.records
    if known[0] == known[1] and known[0] is not None:
        return None
    found = _data_problem(one.experiment, other.experiment, _SAME_IMAGES)
    if found is None and None in known:
        return None  # of an earlier version, which wrote no name of them down
    reason = found.words if found else "the files have changed between their preparations"
    return (
        f"they were prepared from other images, so that one may have been trained on what the "
        f"other is tested on ({reason})"
    )


def _splits_problem(one: Experiment, other: Experiment, options: EnsembleOptions) -> str | None:
    splits = one.data.splits or Splits(), other.data.splits or Splits()
    if splits[0] == splits[1]:
        return None
    parts = [part for part in Splits.model_fields if len({getattr(s, part) for s in splits}) > 1]
    values = " and ".join(str(getattr(s, parts[-1])) for s in splits)
    if splits[0].are_fractions or splits[1].are_fractions or "test" in parts:
        return (
            f"data.splits.{parts[-1]} is {values}, so that one may have been trained on what the "
            "other is tested on"
        )
    if "validation" in parts and (options.weights == "fitted" or options.select is not None):
        return (
            f"data.splits.validation is {values}: weights and members are chosen on images that no "
            "member was trained on. Take equal weights and all members"
        )
    return None


def _test_problem(one: MemberRun, other: MemberRun) -> str | None:
    """Words where runs of the same records are tested on other parts of them, such as folds."""
    if one.test_ids == other.test_ids:
        return None
    only = sorted(one.test_ids ^ other.test_ids)
    return (
        f"they are tested on other images, such as {only[0]!r} ({len(only)} in all), so that one "
        "may have been trained on what the other is tested on"
    )


def _test_ids(run: RunFolder) -> frozenset[str]:
    """Returns what a run was tested on.

    Raises:
        RunError: it has not been measured yet, or its predictions are damaged.
    """
    if not run.predictions_file.is_file():
        raise RunError(
            f"The run {run.path} has not been measured yet, so that it is not known what it is "
            f"tested on. `lensnet evaluate {run.path}` measures it."
        )
    try:
        return frozenset(row["id"] for row in read_dicts(run.predictions_file))
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RunError(f"{run.predictions_file} is damaged: {error}.") from None


def _input_problem(one: MemberRun, other: MemberRun) -> str | None:
    if one.data.preprocessing == other.data.preprocessing:
        return None
    found = _data_problem(one.experiment, other.experiment, _SAME_INPUT)
    reason = found.words if found else "the statistics of their normalisation differ"
    return (
        f"their networks take other inputs ({reason}), and an ensemble prepares an image once. "
        "Train them with the same data.crop, data.image_size, data.normalization and "
        "data.repeat_channels"
    )


def _data_problem(one: Experiment, other: Experiment, keys: Sequence[str]) -> _Problem | None:
    """Names the first key of `data` in which two experiments differ."""
    for key in keys:
        values = [_plain(experiment, key) for experiment in (one, other)]
        if values[0] == values[1]:
            continue
        path = f"data.{key}"
        if isinstance(values[0], dict) and isinstance(values[1], dict):
            inner = next(k for k in {**values[0], **values[1]} if _differ(values, k))
            path, values = f"{path}.{inner}", [value.get(inner) for value in values]
        return _Problem(path, f"{path} is {values[0]} and {values[1]}")
    return None


def _differ(values: Sequence[dict[str, Any]], key: str) -> bool:
    return values[0].get(key) != values[1].get(key)


def _plain(experiment: Experiment, key: str) -> Any:
    if key == "options":
        return experiment.dataset_options.model_dump(mode="json")
    return experiment.data.model_dump(mode="json")[key]
