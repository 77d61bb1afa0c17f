"""The run folder: where everything of one training lies, and what each file is called."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.config import Experiment, load
from lensnet.config.loading import to_yaml
from lensnet.errors import RunError

__all__ = ["RunFolder", "default_run_dir"]


def default_run_dir(experiment: Experiment) -> Path:
    """Where a run lies unless it is said: `runs/<name>`."""
    return Path("runs") / experiment.name


@dataclass(frozen=True)
class RunFolder:
    """A run folder on disk.

    Args:
        path: the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Makes an empty run folder.

        Args:
            path: the folder; its parents are made too.
            overwrite: remove a run that is there already.

        Raises:
            RunError: the folder exists and holds something, and is not to be overwritten or is no
                run of ours.
        """
        folder = cls.check_free(path, overwrite=overwrite)
        if folder.path.is_dir():
            shutil.rmtree(folder.path)
        folder.path.mkdir(parents=True)
        return folder

    @classmethod
    def check_free(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Checks that `create` could make the folder, and makes nothing.

        Raises:
            RunError: as `create`.
        """
        folder = cls(Path(path))
        if not folder.path.exists() or (folder.path.is_dir() and not any(folder.path.iterdir())):
            return folder
        if not folder.experiment_file.is_file():
            raise RunError(
                f"{folder.path} exists and is not a run folder, so it is left alone. Name another "
                "folder with --run-dir."
            )
        if not overwrite:
            raise RunError(
                f"The run folder {folder.path} exists already. Go on with it by --resume, replace "
                "it by --overwrite, or name another folder with --run-dir."
            )
        return folder

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Opens a run folder that exists.

        Raises:
            RunError: there is none.
        """
        folder = cls(Path(path))
        if not folder.path.is_dir():
            raise RunError(f"There is no run folder {folder.path}.")
        if not folder.experiment_file.is_file():
            raise RunError(
                f"{folder.path} is not a run folder: it holds no experiment.yaml. `lensnet fit` "
                "makes run folders."
            )
        return folder

    def require_model(self) -> Path:
        """Returns the file of the best model.

        Raises:
            RunError: no epoch has ended yet.
        """
        if not self.model_file.is_file():
            raise RunError(
                f"The run {self.path} has no model.keras yet: no epoch has ended. Go on with it by "
                f"`lensnet fit --resume --run-dir {self.path}`."
            )
        return self.model_file

    def read_experiment(self) -> Experiment:
        """Reads the resolved experiment, and looks at no other file.

        Its images were checked when the run began; a run is opened where they are gone, too.
        """
        return load(self.experiment_file, check_source=False).with_earlier_defaults()

    def write_experiment(self, experiment: Experiment) -> None:
        """Writes the resolved experiment."""
        files.write_text(self.experiment_file, to_yaml(experiment))

    def write_json(self, name: str, content: Any) -> None:
        """Writes a JSON file of the folder."""
        files.write_json(self.path / name, content)

    def read_json(self, name: str) -> Any:
        """Reads a JSON file of the folder.

        Raises:
            RunError: it is missing or no JSON.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(
                f"The run {self.path} has no {name}: it has not come that far. Go on with it by "
                f"`lensnet fit --resume --run-dir {self.path}`."
            ) from None
        except ValueError as error:
            raise RunError(f"{self.path / name} is damaged: {error}.") from None

    @property
    def experiment_file(self) -> Path:
        """The resolved experiment."""
        return self.path / "experiment.yaml"

    @property
    def model_file(self) -> Path:
        """The best model by validation."""
        return self.path / "model.keras"

    @property
    def history_file(self) -> Path:
        """A row an epoch."""
        return self.path / "history.csv"

    @property
    def checkpoint_file(self) -> Path:
        """The state after the last whole epoch."""
        return self.path / "checkpoints" / "last.npz"

    @property
    def metrics_file(self) -> Path:
        """The metrics of validation and test."""
        return self.path / "metrics.json"

    @property
    def predictions_file(self) -> Path:
        """The predictions for the test split."""
        return self.path / "predictions.csv"

    @property
    def figures_dir(self) -> Path:
        """The figures."""
        return self.path / "figures"

    @property
    def log_file(self) -> Path:
        """What was said on the way."""
        return self.path / "log.txt"
