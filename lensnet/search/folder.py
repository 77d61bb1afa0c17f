"""The search folder: what several processes share, and what each file in it is called."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.config.documents import parse_document
from lensnet.config.search import SearchPlan, load_search
from lensnet.errors import ConfigurationError, RunError
from lensnet.locking import hold
from lensnet.overwriting import MARK
from lensnet.run_folder import RunFolder

__all__ = ["SearchFolder", "default_search_dir"]

_ANOTHER = "Name another folder with --search-dir."


def default_search_dir(plan: SearchPlan) -> Path:
    """Where a search lies unless it is said: `searches/<name>`."""
    return Path("searches") / plan.name


@dataclass(frozen=True)
class SearchFolder:
    """A search folder on disk, which all processes of a search have in common.

    Args:
        path: the folder.
    """

    path: Path

    @classmethod
    def begin(cls, plan: SearchPlan, path: str | Path, *, resume: bool = False) -> SearchFolder:
        """Makes a search folder, or joins one.

        Args:
            plan: the search. Of one that is there it may change how many trials are begun.
            path: the folder; its parents are made too.
            resume: go on with a search, or take part in it.

        Raises:
            RunError: as `check`; or the folder's is another search.
        """
        folder = cls(Path(path))
        folder.check(resume=resume)
        with hold(folder.path, "lensnet search", wait=True):
            # Another process may have begun it meanwhile.
            folder.check(resume=resume)
            if folder.exists:
                folder._check_same(plan)
            else:
                files.write_json(folder.path / MARK, {"kind": "search", "id": uuid.uuid4().hex})
            # The search comes last: with it a folder is that of a search.
            files.write_text(folder.search_file, plan.to_yaml())
        return folder

    @classmethod
    def open(cls, path: str | Path) -> SearchFolder:
        """Opens a search folder that exists.

        Raises:
            RunError: there is none.
        """
        folder = cls(Path(path))
        if not folder.exists:
            raise RunError(
                f"{folder.path} is not a search folder: it holds no search.yaml of lensnet's. "
                "`lensnet search` makes search folders."
            )
        return folder

    def check(self, *, resume: bool) -> None:
        """Checks that a search can be begun here, or gone on with.

        Raises:
            RunError: there is a search and it is not to be resumed, or something else is there.
            ConfigurationError: the folder cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file and not a search folder. {_ANOTHER}")
        files.check_writable(self.path, "Name a folder of yours with --search-dir.")
        if self.exists:
            if not resume:
                raise RunError(
                    f"The search folder {self.path} exists already. Go on with it, or take part "
                    "in it beside the processes that do, by --resume, or name another folder with "
                    "--search-dir."
                )
            return
        names = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        foreign = sorted(name for name in names if name != MARK and not name.startswith("."))
        if foreign or (MARK in names and not self._mark.get("id")):
            raise RunError(
                f"{self.path} holds {foreign[0] if foreign else MARK} and is not a search folder, "
                f"so it is left alone. {_ANOTHER}"
            )

    def read_plan(self) -> SearchPlan:
        """Reads the search.

        Raises:
            RunError: it is damaged.
        """
        try:
            return load_search(self.search_file, check_source=False)
        except ConfigurationError as error:
            raise RunError(f"The search folder {self.path} is damaged: {error}") from None

    def trial(self, number: int) -> RunFolder:
        """The run folder of a trial."""
        return RunFolder(self.path / "trials" / f"{number:04d}")

    def claim(self, number: int) -> Path:
        """What a process holds while a trial is its own."""
        return self.path / "claims" / f"{number:04d}"

    @property
    def exists(self) -> bool:
        """Whether there is a search in it."""
        return self.search_file.is_file() and self._mark.get("kind") == "search"

    @property
    def id(self) -> str:
        """What tells it from another folder of a search of the same name."""
        return str(self._mark.get("id"))

    @property
    def search_file(self) -> Path:
        """The search, its experiment written out."""
        return self.path / "search.yaml"

    @property
    def database_file(self) -> Path:
        """The trials, where no other database is named."""
        return self.path / "study.db"

    @property
    def table_file(self) -> Path:
        """The trials as a table."""
        return self.path / "trials.csv"

    @property
    def best_file(self) -> Path:
        """The experiment of the best trial."""
        return self.path / "best.yaml"

    @property
    def report_file(self) -> Path:
        """The page."""
        return self.path / "report.html"

    @property
    def _mark(self) -> dict[str, Any]:
        try:
            mark = json.loads((self.path / MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return mark if isinstance(mark, dict) else {}

    def _check_same(self, plan: SearchPlan) -> None:
        before = parse_document(self.search_file.read_text(encoding="utf-8"), "search.yaml").content
        now = parse_document(plan.to_yaml(), "search.yaml").content
        changed = sorted(
            key for key in before.keys() | now.keys() if before.get(key) != now.get(key)
        )
        if set(changed) - {"trials"}:
            raise RunError(
                f"The search {self.path} was begun with another value of {', '.join(changed)}; a "
                f"search that is gone on with may change its number of trials alone. {_ANOTHER}"
            )
