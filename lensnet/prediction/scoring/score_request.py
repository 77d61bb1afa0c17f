"""What is asked of `lensnet predict`: by which run, of which inputs, into which table, and how."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lensnet.config import Experiment
from lensnet.data.table_writing import check_ending, check_own_table
from lensnet.errors import ConfigurationError, RunError
from lensnet.output_files import check_file_output
from lensnet.prediction.columns import Columns
from lensnet.prediction.planning import InputOptions, Plan, input_entries
from lensnet.prediction.scoring.dask_cluster import check_dask
from lensnet.prediction.scoring.shards import Shard
from lensnet.prediction.scoring.work_folder import WorkFolder
from lensnet.registry import load_object
from lensnet.run_folder import RunFolder

__all__ = ["PARTITION_ROWS", "UNCERTAINTIES", "ScoreRequest", "ScoredRun", "check_output"]

PARTITION_ROWS = 8192
"""Rows of a partition, unless it is said."""

Uncertainty = Literal["members", "rotations", "none"]

UNCERTAINTIES: dict[str, str] = {
    "members": "the spread of an ensemble's members, at no cost",
    "rotations": "the spread over the eight right-angle turns and reflections, at eight times "
    "the network's time",
    "none": "no uncertainty",
}
"""What `uncertainty` may be, and what that is."""


@dataclass(frozen=True)
class ScoredRun:
    """What is to be known of a run before its network is loaded; imports no framework.

    Args:
        path: the run folder.
        experiment: the run's.
        native_shape: (H, W, C) of the images.
        classes: the names of the classes; () for a regression.
        is_ensemble: whether it holds the networks of several runs.
    """

    path: Path
    experiment: Experiment
    native_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    is_ensemble: bool = False

    @classmethod
    def open(cls, run: str | Path) -> ScoredRun:
        """Opens a finished run.

        Raises:
            RunError: there is no such run, or it has no model yet, or is damaged.
        """
        folder = RunFolder.open(run)
        folder.check()
        data = folder.read_data()
        return cls(
            folder.path,
            folder.read_experiment(),
            data.native_shape,
            data.classes,
            folder.is_ensemble,
        )

    def model_hash(self) -> str:
        """Returns what its network and preprocessing are known by."""
        digest = hashlib.sha256()
        for name in ("model.keras", "data.json"):
            with (self.path / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    @property
    def columns(self) -> Columns:
        """How its answers read in a table."""
        columns: Columns = load_object(self.experiment.task_spec.columns)(self.classes)
        return columns


@dataclass(frozen=True)
class ScoreRequest:
    """A request.

    Args:
        run: the run folder.
        inputs: files, folders and tables.
        output: the table.
        batch_size: images scored at once; None for what is found to be quick and to fit.
        uncertainty: one of `UNCERTAINTIES`; None for that of the members where there are several.
        shard: the share of an array job; None for all.
        dask: where the workers are; None for this process.
        partition_rows: rows that are scored as one task, and lost at most by a kill.
        options: how the inputs are to be understood, where they do not say it themselves.
        resume: go on with what an earlier process has begun.
        overwrite: replace an output that is there, and what an earlier process has begun.
        network: `"module:function"` of what opens the network, from the run folder and the
            uncertainty to a `Scorer`, in this process or in workers.
    """

    run: Path
    inputs: tuple[str, ...]
    output: Path
    batch_size: int | None = None
    uncertainty: Uncertainty | None = None
    shard: Shard | None = None
    dask: str | None = None
    partition_rows: int = PARTITION_ROWS
    options: InputOptions = InputOptions()
    resume: bool = False
    overwrite: bool = False
    network: str = "lensnet.prediction.scoring.network:open_network"

    def __post_init__(self) -> None:
        if self.uncertainty is not None and self.uncertainty not in UNCERTAINTIES:
            raise ConfigurationError(
                f'There is no uncertainty "{self.uncertainty}". Known: {", ".join(UNCERTAINTIES)}.'
            )
        for name in ("batch_size", "partition_rows"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ConfigurationError(f"{name} is at least 1; got {number}.")
        if self.shard is not None and self.dask is not None:
            raise ConfigurationError(
                "A shard is scored by one process, and Dask shares the work itself. Leave out "
                "--shard or --dask."
            )

    @property
    def work(self) -> WorkFolder:
        """The work folder."""
        return WorkFolder.of(self.output)

    def check(self) -> bool:
        """Checks, before any work, that it can be done, and returns whether it is done already.

        Raises:
            ConfigurationError: the output is none that can be written, or a package is missing.
            RunError: something is in the way.
        """
        if self.dask is not None:
            check_dask(self.dask)
        self.work.check_own()
        if self.resume and not self.work.is_begun and self.output.is_file():
            check_ending(self.output)
            check_own_table(self.output)
            return True
        # That it may be replaced was checked when the work began, and may have come about since.
        goes_on = self.resume and self.work.is_begun
        check_output(self.output, overwrite=self.overwrite or goes_on)
        return False

    def origin(self, run: ScoredRun) -> dict[str, Any]:
        """Returns what a plan keeps of a request, to be gone on with by the same alone."""
        return {
            "run": str(run.path),
            "model": run.model_hash(),
            "options": list(map(str, _words_of(self.options))),
        }

    def check_plan(self, planned: Plan, run: ScoredRun, uncertainty: str) -> None:
        """Checks that what an earlier process has begun is what is asked now.

        Raises:
            RunError: it is of another run, or of other inputs, or of another uncertainty.
        """
        anew = (
            "Begin anew by --overwrite, or name another output with -o."
            if self.shard is None
            else f"Remove {self.work.path}, or name another output with -o."
        )
        begun, asked = planned.origin, self.origin(run)
        if begun.get("model") != asked["model"]:
            raise RunError(
                f"{self.work.path} was begun by the run {begun.get('run')}, whose network is not "
                f"that of {run.path} now. {anew}"
            )
        differs = _difference(planned.content["inputs"], input_entries(self.inputs))
        if differs is None and begun.get("options") != asked["options"]:
            differs = "the options that say how they are understood are others"
        if differs is not None:
            raise RunError(f"{self.work.path} was begun with other inputs: {differs}. {anew}")
        earlier = self.work.settled().get("uncertainty", uncertainty)
        if earlier != uncertainty:
            raise RunError(
                f"{self.work.path} was begun with --uncertainty {earlier}, and this is "
                f"{uncertainty}. Say the same, or else: {anew[0].lower()}{anew[1:]}"
            )

    def command(self) -> str:
        """Returns the command that goes on where this one was stopped."""
        words: list[object] = ["lensnet", "predict", self.run, *self.inputs, "-o", self.output]
        if self.batch_size is not None:
            words += ["--batch-size", self.batch_size]
        if self.uncertainty is not None:
            words += ["--uncertainty", self.uncertainty]
        if self.partition_rows != PARTITION_ROWS:
            words += ["--partition-rows", self.partition_rows]
        words += _words_of(self.options)
        if self.dask is not None:
            words += ["--dask", self.dask]
        # A shard goes on by itself.
        words += ["--resume"] if self.shard is None else ["--shard", self.shard]
        return shlex.join(map(str, words))

    def uncertainty_of(self, run: ScoredRun) -> Uncertainty:
        """Returns what the uncertainty of a run's scores is to be.

        Raises:
            ConfigurationError: it is to be that of members, and there are none.
        """
        if self.uncertainty == "members" and not run.is_ensemble:
            raise ConfigurationError(
                f"{run.path} is not an ensemble, and has no members that could differ. Take "
                "--uncertainty rotations, or make an ensemble by `lensnet ensemble`."
            )
        return self.uncertainty or ("members" if run.is_ensemble else "none")


def check_output(output: str | Path, *, overwrite: bool) -> None:
    """Checks, before any work, that a table can be written.

    Args:
        output: the table.
        overwrite: whether one of lensnet's may be replaced.

    Raises:
        ConfigurationError: its ending is none of a table's, or nothing can be written there.
        RunError: it exists, and is not to be overwritten or is not one of lensnet's; or there is no
            folder to write into.
    """
    path = Path(output)
    check_ending(path)
    check_file_output(path, check_own_table, overwrite=overwrite)


def _words_of(options: InputOptions) -> list[object]:
    """Returns the options of the command line that say how inputs are understood."""
    words: list[object] = []
    for name in ("id_column", "ra_column", "dec_column"):
        if getattr(options, name) is not None:
            words += [f"--{name.replace('_', '-')}", getattr(options, name)]
    for column in options.file_columns:
        words += ["--file-column", column]
    for pattern in options.mosaics:
        words += ["--mosaics", pattern]
    if options.bands:
        words += ["--bands", ",".join(options.bands)]
    size = options.size
    if size is not None:
        words += ["--size", size.pixels if size.arcsec is None else f"{size.arcsec:g}arcsec"]
    return words


def _difference(earlier: Sequence[Sequence[Any]], now: Sequence[Sequence[Any]]) -> str | None:
    """Returns how the inputs differ from those of an earlier time; None where they do not."""
    before, after = ({entry[0]: list(entry) for entry in all_} for all_ in (earlier, now))
    for name, entry in after.items():
        if name not in before:
            return f"{name} is new"
        if entry != before[name]:
            return f"{name} has changed"
    gone = [name for name in before if name not in after]
    return f"{gone[0]} is gone" if gone else None
