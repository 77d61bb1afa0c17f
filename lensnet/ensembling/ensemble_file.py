"""An ensemble as a file: which experiments and runs it is made of; imports no framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lensnet import config
from lensnet.config import Experiment
from lensnet.config.ensemble import EnsembleFile
from lensnet.config.repeated_runs import runs_of
from lensnet.ensembling.members import check_experiments_alike
from lensnet.errors import ConfigurationError, RunError
from lensnet.run_folder import RunFolder, default_run_dir
from lensnet.training.opening import changed_keys

__all__ = ["PlannedMember", "plan_members"]


@dataclass(frozen=True)
class PlannedMember:
    """An experiment that is to be a member.

    Args:
        file: where it stands.
        experiment: what it is.
        run: where its run lies or is to lie.
    """

    file: Path
    experiment: Experiment
    run: RunFolder

    @property
    def is_finished(self) -> bool:
        """Whether the run has been trained and measured."""
        return self.run.metrics_file.is_file()


def plan_members(
    ensemble: EnsembleFile, path: Path, overrides: Sequence[str] = ()
) -> list[PlannedMember]:
    """Reads the experiments of an ensemble's file, and checks them before any is fitted.

    Args:
        ensemble: the file.
        path: where it lies; experiments are named from its folder on.
        overrides: `"dotted.key=value"` strings for each of them.

    Raises:
        ConfigurationError: an experiment is wrong, two have one name, or they cannot be one
            ensemble.
        RunError: a run folder of its name is in the way.
        DataError: the directory of its images is missing.
    """
    planned: list[PlannedMember] = []
    for name in ensemble.experiments:
        file = path.parent / Path(name).expanduser()
        experiment = config.load(file, overrides)
        if runs_of(experiment):
            raise ConfigurationError(
                f"{file} stands for several runs (training.seeds or training.folds), and a member "
                "is one: fit it, and name its run folders (runs: [...])."
            )
        planned.append(PlannedMember(file, experiment, RunFolder(default_run_dir(experiment))))
    names: dict[str, Path] = {}
    for member in planned:
        other = names.setdefault(member.experiment.name, member.file)
        if other != member.file:
            raise ConfigurationError(
                f"{other} and {member.file} have one name, {member.experiment.name}, and so one "
                "run folder. Give them two."
            )
    for member in planned[1:]:
        try:
            check_experiments_alike([(str(m.file), m.experiment) for m in (planned[0], member)])
        except ConfigurationError as error:
            place = config.place_of(str(error.key), member.file, overrides)
            raise ConfigurationError(f"{place}: {error}") from None
    for member in planned:
        _check_run(member)
    return planned


def _check_run(member: PlannedMember) -> None:
    """Checks that the run folder is that of the experiment, or can be made."""
    if not member.run.check_fit(resume=True, overwrite=False):
        return
    before = member.run.read_experiment()
    now = member.experiment.resuming(before)
    changed = changed_keys(before, now.resolved(now.data.splits or before.data.splits))
    if changed:
        raise RunError(
            f"{member.run.path} is not the run of {member.file}: it has other values of "
            f"{', '.join(changed)}. Move it elsewhere, or name the runs themselves (runs: [...])."
        )
