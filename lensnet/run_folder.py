"""The run folder: how it is made, opened, checked, held and read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.config import Experiment, load
from lensnet.config.loading import read_document, to_yaml
from lensnet.errors import ConfigurationError, RunError
from lensnet.locking import Hold, hold
from lensnet.model_file import check_model_file
from lensnet.overwriting import MARK, RUN, SERIES, holds_working_directory
from lensnet.run_documents import DataDescription, parse_data_description, read_json
from lensnet.run_files import RunFiles

__all__ = ["RunFolder", "default_run_dir"]

# What is written before experiment.yaml, with which a folder becomes that of a run.
_BEGINNING = {MARK, "environment.json", "data.json", "ensemble.json", "quarantine.csv"}
_ANOTHER = "Name another folder with --run-dir."


def default_run_dir(experiment: Experiment) -> Path:
    """Where a run lies unless it is said: `runs/<name>`."""
    return Path("runs") / experiment.name


@dataclass(frozen=True)
class RunFolder(RunFiles):
    """A run folder on disk.

    Args:
        path: the folder.
    """

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Makes an empty run folder, which bears lensnet's mark.

        Args:
            path: the folder; its parents are made too.
            overwrite: remove what lensnet has written there.

        Raises:
            RunError: as `check_free`.
        """
        folder = cls.check_free(path, overwrite=overwrite)
        if folder.path.is_dir() and RUN.is_marked(folder.path):
            RUN.empty(folder.path)
        folder.path.mkdir(parents=True, exist_ok=True)
        RUN.write_mark(folder.path)
        return folder

    @classmethod
    def check_free(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Checks that `create` could make the folder, and makes nothing.

        Raises:
            RunError: the folder exists and holds something, and is not to be overwritten, or not
                in whole lensnet's own, or is a link, or the working directory lies in it.
            ConfigurationError: it cannot be written.
        """
        folder = cls(Path(path))
        folder.check_writable()
        # A process that has just come has put its lock there.
        if not RUN.holds_something(folder.path):
            return folder
        if folder._is_a_beginning() or overwrite:
            RUN.check_removable(folder.path)
            return folder
        if not folder._is_like_a_run():
            raise RunError(
                f"{folder.path} exists and is not a run folder, so it is left alone. {_ANOTHER}"
            )
        resume = "" if folder.is_ensemble else "go on with it by --resume, "
        replace = "replace it by --overwrite, "
        if folder.path.is_symlink() or holds_working_directory(folder.path):
            replace = ""  # which would be refused
        ways = f"{resume}{replace}or name another folder with --run-dir."
        ways = ways.removeprefix("or ")
        raise RunError(f"The run folder {folder.path} exists already. {ways[0].upper()}{ways[1:]}")

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Opens a run folder that exists.

        Raises:
            RunError: there is none, or a file of it is not a file, or lies elsewhere.
        """
        folder = cls(Path(path))
        if not folder.path.is_dir():
            raise RunError(f"There is no run folder {folder.path}.")
        if not folder.experiment_file.is_file():
            if SERIES.is_marked(folder.path):
                runs = sorted(path.parent.name for path in folder.path.glob("*/experiment.yaml"))
                raise RunError(
                    f"{folder.path} holds several runs: name one of them"
                    f"{f', such as {folder.path / runs[0]}' if runs else ''}."
                )
            raise RunError(
                f"{folder.path} is not a run folder: it holds no experiment.yaml. `lensnet fit` "
                "makes run folders."
            )
        folder._check_files()
        return folder

    @classmethod
    def open_to_resume(cls, path: str | Path) -> RunFolder:
        """Opens a run folder that is to be written on.

        Raises:
            RunError: as `open`; or the folder is not one that lensnet has made.
        """
        folder = cls.open(path)
        folder.check_writable()
        if folder.is_ensemble:
            raise RunError(
                f"{folder.path} is an ensemble, which has no training to go on with. `lensnet "
                "ensemble` makes it anew."
            )
        if not folder._is_like_a_run():
            raise RunError(
                f"{folder.path} holds an experiment.yaml, but is not a run folder that lensnet has "
                f"made, so it is left alone. {_ANOTHER}"
            )
        return folder

    def check_fit(self, *, resume: bool, overwrite: bool) -> bool:
        """Checks that a run can be begun here or gone on with, and returns whether the latter.

        Args:
            resume: go on with a run, where there is one.
            overwrite: replace a run that is there.

        Raises:
            RunError: as `check_free` or `open_to_resume`; or the run that is there is damaged.
            ConfigurationError: the folder cannot be written.
        """
        if resume and self.experiment_file.is_file():
            self.open_to_resume(self.path).read_experiment()
            return True
        self.check_free(self.path, overwrite=overwrite)
        return False

    def check_unused(self) -> None:
        """Checks that no other process holds the folder at this moment.

        Raises:
            RunError: one does.
        """
        if self.has_lock:
            with self.held("a check"):
                pass

    @contextmanager
    def held(self, command: str) -> Iterator[Hold]:
        """Holds the folder against other processes while the block runs; see `lensnet.locking`.

        Args:
            command: what is done, such as `"lensnet fit"`.

        Raises:
            RunError: another process holds it.
        """
        with hold(self.path, command) as held:
            yield held

    def check_writable(self) -> None:
        """Checks that files can be written into the folder.

        Raises:
            RunError: there is a file of its name, or a link that leads nowhere.
            ConfigurationError: they cannot.
        """
        if not self.path.is_dir() and (self.path.exists() or self.path.is_symlink()):
            what = "a file" if self.path.exists() else "a link that leads nowhere"
            raise RunError(f"{self.path} is {what} and not a run folder. {_ANOTHER}")
        advice = "Name a folder of yours with --run-dir, or copy the run to one."
        for folder in (self.path, self.figures_dir):
            files.check_writable(folder, advice)

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

    def check(self) -> None:
        """Checks that the run has a model, and that its files are whole; imports no framework.

        Raises:
            RunError: there is no model yet, or a file is missing or damaged.
        """
        self.read_experiment()
        # Damage is told first, then that the run has not come far enough.
        if (self.path / "data.json").exists():
            self.read_data()
        check_model_file(self.require_model())
        if not (self.path / "data.json").exists():
            raise self._missing("data.json")

    def check_documents(self) -> None:
        """Checks that the YAML and `data.json` can be read, as far as they are there.

        Raises:
            RunError: one of them is damaged.
        """
        try:
            content = read_document(self.experiment_file).content
        except ConfigurationError as error:
            raise self._damaged(error) from None
        if not isinstance(content, dict):
            raise RunError(f"{self.experiment_file} is damaged: it holds no settings.")
        if (self.path / "data.json").exists():
            self.read_data()

    def read_experiment(self) -> Experiment:
        """Reads the resolved experiment, and looks at no other file.

        Its images were checked when the run began; a run is opened where they are gone, too.

        Raises:
            RunError: it is damaged.
        """
        try:
            experiment = load(self.experiment_file, check_source=False)
        except ConfigurationError as error:
            raise self._damaged(error) from None
        return experiment.with_earlier_defaults()

    def read_data(self) -> DataDescription:
        """Reads what the run was trained on: `data.json`.

        Raises:
            RunError: it is missing or damaged.
        """
        return parse_data_description(self.path / "data.json", self.read_json("data.json"))

    def read_history(self) -> list[dict[str, str]]:
        """Reads the history, a row an epoch; every value of it is a number. An ensemble has none.

        Raises:
            RunError: it is missing or damaged.
        """
        if self.is_ensemble:
            return []
        try:
            with self.history_file.open(newline="", encoding="utf-8") as stream:
                rows = list(csv.DictReader(stream))
            for row in rows:
                float(row["epoch"]), float(row["seconds"])
                [float(value) for value in row.values()]
            if not rows:
                raise ValueError("it has no epoch")
        except FileNotFoundError:
            raise self._missing("history.csv") from None
        except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
            raise RunError(f"{self.history_file} is damaged: {error}.") from None
        return rows

    def write_experiment(self, experiment: Experiment) -> None:
        """Writes the resolved experiment."""
        files.write_text(self.experiment_file, to_yaml(experiment))

    def write_json(self, name: str, content: Any) -> None:
        """Writes a JSON file of the folder."""
        files.write_json(self.path / name, content)

    def read_json(self, name: str) -> Any:
        """Reads a JSON file of the folder.

        Raises:
            RunError: it is missing or not JSON.
        """
        try:
            return read_json(self.path / name)
        except FileNotFoundError:
            raise self._missing(name) from None

    def _missing(self, name: str) -> RunError:
        return RunError(
            f"The run {self.path} has no {name}: it has not come that far. Go on with it by "
            f"`lensnet fit --resume --run-dir {self.path}`."
        )

    def _damaged(self, error: ConfigurationError) -> RunError:
        first, *more = str(error).splitlines()
        rest = f" ({len(more)} more)" if more else ""
        return RunError(f"The run folder {self.path} is damaged: {first}{rest}")

    def _is_a_beginning(self) -> bool:
        """Whether a process was killed while it made the folder: nothing in it is of worth."""
        names = {path.name for path in RUN.own_files(self.path) if not path.name.startswith(".")}
        return (
            RUN.is_marked(self.path)
            and names <= _BEGINNING
            and not RUN.foreign_files(self.path)
            and not self.experiment_file.exists()
        )

    def _is_like_a_run(self) -> bool:
        """Whether lensnet has made the folder, or an earlier version that was killed has begun."""
        if RUN.is_marked(self.path):
            return True
        return self.experiment_file.is_file() and not RUN.foreign_files(self.path)

    def _check_files(self) -> None:
        """Checks that what is read of the folder are files in it: run folders come from others.

        Raises:
            RunError: a file is a link that leads out of the folder, or a pipe or a device.
        """
        inside = self.path.resolve()
        named = (self.path / name for name in RUN.patterns if "*" not in name)
        for path in (*named, *self.figures_dir.glob("*.png")):
            if path.is_symlink() or path.parent.is_symlink():
                target = path.resolve()
                if inside not in target.parents:
                    raise RunError(
                        f"{path} leads out of the run folder, to {target}, and is not followed. "
                        "Put the file itself there."
                    )
            if path.exists() and not path.is_file():
                raise RunError(f"{path} is not a file: the run folder {self.path} is damaged.")
