"""The folder of several runs of one experiment: a run folder for each seed or fold, and a summary.

Each of the runs lies in a folder of its own that every command takes (`run_folder`). What is said
here of overwriting and going on is said of all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.config import Experiment
from lensnet.config.loading import to_yaml
from lensnet.errors import RunError
from lensnet.locking import hold
from lensnet.overwriting import RUN, SERIES
from lensnet.run_documents import read_json
from lensnet.run_folder import RunFolder

__all__ = ["RunSeries"]


@dataclass(frozen=True)
class RunSeries:
    """A folder of runs on disk.

    Args:
        path: the folder.
    """

    path: Path

    def run(self, name: str) -> RunFolder:
        """Returns one of the runs, which need not be there yet."""
        return RunFolder(self.path / name)

    def check_fit(self, names: Sequence[str], *, resume: bool, overwrite: bool) -> bool:
        """Checks that runs can be begun here or gone on with, and returns whether the latter.

        Args:
            names: of the runs.
            resume: go on with those that are there.
            overwrite: replace what is there.

        Raises:
            RunError: the folder holds something else, or runs that are to be neither gone on with
                nor replaced, or one of the runs cannot be gone on with.
            ConfigurationError: the folder cannot be written.
        """
        RunFolder(self.path).check_writable()
        if resume and SERIES.is_marked(self.path):
            for name in names:
                self.run(name).check_fit(resume=True, overwrite=False)
            return True
        if not (SERIES.holds_something(self.path) or self._runs()):
            return False
        if not SERIES.is_marked(self.path):
            # A run, which may be replaced by several, or something that is none of ours.
            if RUN.is_marked(self.path) and not overwrite:
                raise RunError(
                    f"{self.path} holds a single run. Replace it by --overwrite, or name another "
                    "folder with --run-dir."
                )
            RunFolder.check_free(self.path, overwrite=overwrite)
            return False
        if not overwrite:
            raise RunError(
                f"{self.path} exists already. Go on with its runs by --resume, replace them by "
                "--overwrite, or name another folder with --run-dir."
            )
        self._check_removable()
        return False

    def check_unused(self, names: Sequence[str]) -> None:
        """Checks that no other process holds the folder or one of the runs.

        Raises:
            RunError: one does.
        """
        for folder in (RunFolder(self.path), *map(self.run, names)):
            folder.check_unused()

    def create(self, experiment: Experiment) -> None:
        """Makes the folder anew: what `check_fit` has allowed to replace is removed.

        Args:
            experiment: what the runs are made of.

        Raises:
            RunError: something in it is not lensnet's; then nothing is removed.
        """
        if SERIES.is_marked(self.path):
            self.remove()
        elif self.path.is_dir() and RUN.is_marked(self.path):
            RUN.empty(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        SERIES.write_mark(self.path)
        self.write_experiment(experiment)

    def remove(self) -> None:
        """Removes the runs and what lies beside them; the folder and its lock stay.

        Raises:
            RunError: something in it is not lensnet's; then nothing is removed.
        """
        self._check_removable()
        for run in self._runs():
            with hold(run, "its removal"):
                RUN.empty(run)
            # Holding a folder that was there leaves it there.
            if not any(run.iterdir()):
                run.rmdir()
        SERIES.empty(self.path)

    def write_experiment(self, experiment: Experiment) -> None:
        """Writes what the runs are made of."""
        files.write_text(self.experiment_file, to_yaml(experiment))

    def read_summary(self) -> Any:
        """Reads what the runs say together: `summary.json`.

        Raises:
            RunError: it is missing or not JSON.
        """
        try:
            return read_json(self.path / "summary.json")
        except FileNotFoundError:
            raise RunError(
                f"{self.path} has no summary.json yet. Go on with its runs by `lensnet fit "
                f"--resume --run-dir {self.path}`."
            ) from None

    @property
    def experiment_file(self) -> Path:
        """The experiment, with its seeds or folds, as it was asked for."""
        return self.path / "series.yaml"

    def _check_removable(self) -> None:
        SERIES.check_removable(self.path)
        for run in self._runs():
            RUN.check_removable(run)

    def _runs(self) -> list[Path]:
        """What lies where runs are to lie, whatever it is."""
        return sorted(path for pattern in SERIES.within for path in self.path.glob(pattern))
