"""Whether an ensemble can be made, before anything is loaded or fitted; imports no framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lensnet.config.ensemble import EnsembleFile, EnsembleOptions
from lensnet.ensembling.criteria import criterion_of
from lensnet.ensembling.ensemble_file import PlannedMember, plan_members
from lensnet.ensembling.members import check_options, open_members
from lensnet.errors import RunError
from lensnet.run_folder import RunFolder

__all__ = ["Members", "check_ensemble", "check_output"]


@dataclass(frozen=True)
class Members:
    """The runs of an ensemble.

    Args:
        runs: their folders.
        missing: the experiments among them that are to be fitted first.
    """

    runs: list[Path]
    missing: list[PlannedMember] = field(default_factory=list)


def check_ensemble(
    runs: Sequence[Path],
    file: EnsembleFile | None,
    output: Path,
    options: EnsembleOptions,
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
) -> Members:
    """Checks all that can be told without a framework.

    Args:
        runs: run folders, or the one file that was read.
        file: what it says; None for run folders.
        output: the run folder to make.
        options: how the networks are combined.
        overrides: `"dotted.key=value"` strings for each experiment that a file names.
        overwrite: replace the output if it exists.

    Raises:
        LensnetError: see `lensnet.ensembling.ensemble_runs` and `plan_members`.
    """
    if file is None:
        members = Members(list(runs))
        finished = members.runs
    else:
        planned = plan_members(file, runs[0], overrides)
        named = [Path(run).expanduser() for run in file.runs]
        missing = [member for member in planned if not member.is_finished]
        members = Members([*(member.run.path for member in planned), *named], missing)
        for member in planned:
            check_options(member.experiment, options)
        there = [member.run.path for member in planned if member.is_finished]
        finished = [*there, *named]
    check_output(output, members.runs, overwrite=overwrite)
    tasks = [open_members(finished, options)[0].experiment] if finished else []
    tasks += [member.experiment for member in members.missing]
    if options.select is not None:
        criterion_of(options.select, tasks[0].task_spec)
    return members


def check_output(
    output: str | Path, run_dirs: Sequence[str | Path], *, overwrite: bool
) -> RunFolder:
    """Checks that an ensemble's run folder can be made.

    Raises:
        RunError: it is in the way, or one of the runs.
        ConfigurationError: it cannot be written.
    """
    if any(Path(run).resolve() == Path(output).resolve() for run in run_dirs):
        raise RunError(f"{output} is one of the members. Name another folder with -o.")
    return RunFolder.check_free(output, overwrite=overwrite)
