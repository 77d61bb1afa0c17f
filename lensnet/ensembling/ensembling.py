"""The main job of `lensnet ensemble`: from run folders to one that answers for them all."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Sequence
from pathlib import Path

import keras

from lensnet import files
from lensnet.config.ensemble import Ensemble, EnsembleMember, EnsembleOptions
from lensnet.ensembling.checks import check_output
from lensnet.ensembling.choosing import Chosen, combine_runs
from lensnet.ensembling.criteria import criterion_of
from lensnet.ensembling.members import MemberRun, open_members
from lensnet.evaluation.evaluating import evaluate_run
from lensnet.locking import Hold
from lensnet.reporting import write_report
from lensnet.run_folder import RunFolder
from lensnet.training.environment import describe_environment

__all__ = ["ensemble_runs"]

_log = logging.getLogger(__name__)


def ensemble_runs(
    run_dirs: Sequence[str | Path],
    output: str | Path,
    options: EnsembleOptions | None = None,
    *,
    overwrite: bool = False,
) -> RunFolder:
    """Makes a run folder whose model is the ensemble of other runs' models.

    Args:
        run_dirs: finished run folders; one that is named twice counts twice.
        output: the run folder to make.
        options: how they are combined. Default: equal weights on probabilities, all members.
        overwrite: replace a run folder that exists.

    Returns:
        the run folder: `model.keras`, measured on the validation and the test split, with a report;
        `ensemble.json` has the members, their weights and what they reach on the validation split.

    Raises:
        RunError: a run is missing or unfinished, or they cannot be one ensemble; or the output is
            in the way.
        ConfigurationError: the options do not fit the task.
        DataError: the data of the runs are gone.
    """
    from lensnet.data import Preprocessing, open_prepared

    options = options or EnsembleOptions()
    members = open_members(run_dirs, options)
    first = members[0]
    task = first.experiment.task_spec
    if options.select is not None:
        # By its own name, where it was called "default".
        name = criterion_of(options.select, task).name
        options = options.model_copy(update={"select": name})
    target = check_output(output, run_dirs, overwrite=overwrite)
    with target.held("lensnet ensemble") as held:
        RunFolder.check_free(output, overwrite=overwrite)
        preprocessing = Preprocessing.from_dict(first.data.preprocessing.to_dict())
        data = open_prepared(first.experiment, first.data.records, preprocessing)
        chosen, model = combine_runs(members, data, options)
        held.check()
        RunFolder.create(output, overwrite=overwrite)
        _write(target, members, chosen, options, model, held)
        # It is loaded again to be measured, and should not lie in memory twice.
        del model
        gc.collect()
        evaluate_run(target, data)
        write_report(target.path)
    return target


def _write(
    target: RunFolder,
    members: Sequence[MemberRun],
    chosen: Chosen,
    options: EnsembleOptions,
    model: keras.Model,
    held: Hold,
) -> None:
    """Writes the folder but for what is measured; `experiment.yaml`, which makes it a run, last."""
    first = members[0]
    target.write_json("environment.json", describe_environment(first.experiment.seed))
    target.write_json("data.json", first.run.read_json("data.json"))
    target.write_json("ensemble.json", {"validation": chosen.rows, "selection": chosen.path})
    with files.replacing(target.model_file) as temporary:
        model.save(temporary)
    section = Ensemble(
        **options.model_dump(),
        members=[
            EnsembleMember(run=member.name, weight=float(weight))
            for member, weight in zip(members, chosen.weights, strict=True)
        ],
    )
    experiment = first.experiment.model_copy(update={"name": _name(target), "ensemble": section})
    held.check()
    target.write_experiment(experiment)
    with contextlib.suppress(FileNotFoundError):
        text = (first.run.path / "quarantine.csv").read_text(encoding="utf-8")
        files.write_text(target.path / "quarantine.csv", text)
    _log.info("Run folder: %s", target.path)


def _name(target: RunFolder) -> str:
    """What the experiment is called: as the folder, as far as names may be."""
    name = "".join(c if c.isalnum() or c in "_.+-" else "-" for c in target.path.resolve().name)
    return name or "ensemble"
