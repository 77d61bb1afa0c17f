"""What a run begins with, or goes on with: its data, and what its folder says of them."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

from lensnet import files
from lensnet.config import Experiment
from lensnet.errors import RunError
from lensnet.overwriting import RUN
from lensnet.run_folder import RunFolder
from lensnet.training.environment import describe_environment

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["changed_keys", "complete_folder", "open_data", "resumed_experiment"]


def open_data(experiment: Experiment, run: RunFolder | None) -> tuple[Experiment, PreparedData]:
    """Opens the data of an experiment, and writes out every default of it.

    Args:
        experiment: what is asked for.
        run: the run that is gone on with; its data are those that it began with, and its
            statistics those that its preprocessing has.
    """
    from lensnet.data import Preprocessing, open_prepared, prepare

    if run is None:
        data = prepare(experiment)
        return experiment.resolved(data.splits), data
    resolved = resumed_experiment(experiment, run)
    try:
        known = run.read_data()
    except RunError:
        # A kill came before it was written, or it is damaged: it follows from the experiment.
        return resolved, prepare(experiment)
    preprocessing = Preprocessing.from_dict(known.preprocessing.to_dict())
    return resolved, open_prepared(resolved, known.records, preprocessing)


def resumed_experiment(experiment: Experiment, run: RunFolder) -> Experiment:
    """Returns the experiment of a run that is gone on with, every default written out.

    Args:
        experiment: what is asked for.
        run: the run.

    Raises:
        RunError: it was started as another experiment.
    """
    before = run.read_experiment()
    experiment = experiment.resuming(before)
    resolved = experiment.resolved(experiment.data.splits or before.data.splits)
    _check_same(before, resolved, run)
    return resolved


def complete_folder(run: RunFolder, experiment: Experiment, data: PreparedData) -> None:
    """Writes what a run folder needs and lacks: all of it, or what a kill has left out.

    The experiment comes last: with it a folder is that of a run.
    """
    if not RUN.is_marked(run.path):
        RUN.write_mark(run.path)
    if not (run.path / "environment.json").is_file():
        run.write_json("environment.json", describe_environment(experiment.seed))
    try:
        run.read_data()
    except RunError:
        _describe_data(run, data)
    quarantine = data.directory / "quarantine.csv"
    if quarantine.is_file() and not (run.path / "quarantine.csv").is_file():
        with files.replacing(run.path / "quarantine.csv") as temporary:
            shutil.copyfile(quarantine, temporary)
    if not run.experiment_file.is_file():
        run.write_experiment(experiment)


def _check_same(before: Experiment, now: Experiment, run: RunFolder) -> None:
    """A resumed run must be the same experiment."""
    changed = changed_keys(before, now)
    if changed:
        raise RunError(
            f"The run {run.path} was started with other values of {', '.join(changed)}; a resumed "
            "run must be the same experiment. Start a new one with --run-dir, or replace it by "
            "--overwrite."
        )


def changed_keys(before: Experiment, now: Experiment) -> list[str]:
    """Returns the keys that make of two resolved experiments two different ones."""
    ours, theirs = now.model_dump(), before.model_dump()
    # Where prepared records lie, or how often the state is written, changes nothing of what is
    # learned.
    free = {("data", "data_dir"), ("training", "checkpoint")}
    return sorted(
        f"{section}.{key}"
        for section, values in ours.items()
        if isinstance(values, dict)
        for key in values
        if values[key] != theirs[section].get(key) and (section, key) not in free
    ) + [key for key in ("name", "seed", "task") if ours[key] != theirs[key]]


def _describe_data(run: RunFolder, data: PreparedData) -> None:
    run.write_json(
        "data.json",
        {
            "records": data.records,
            "classes": list(data.classes),
            "native_shape": list(data.native_shape),
            "image_shape": list(data.image_shape),
            "counts": {
                "train": data.training_counts,
                **{split: data.counts(split) for split in ("validation", "test")},
            },
            "target_mean": data.target_mean,
            "target_std": data.target_std,
            "target_transform": data.target_transform and asdict(data.target_transform),
            "preprocessing": data.preprocessing.to_dict(),
        },
    )
