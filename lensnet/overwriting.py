"""What `--overwrite` may remove: what lensnet has written, and nothing besides.

A folder is replaced only if it bears lensnet's mark and holds no file that lensnet does not write;
a table or a page only if it begins as lensnet's do. Nothing is removed through a link, and neither
is the working directory nor a folder that it lies in.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from lensnet import files
from lensnet.errors import RunError
from lensnet.output_files import mapping_in

__all__ = [
    "EXPORT",
    "LEARNING_RATE_TEST",
    "MARK",
    "RUN",
    "SERIES",
    "FolderKind",
    "holds_working_directory",
]

MARK = "lensnet.json"
"""The file by which a folder says that lensnet made it."""

# What a killed process leaves of a file that was being written: `.history.k2m8x_1a.csv`.
_TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[a-z0-9_]{8}(?P<suffix>\.[^.]+)?")
_FIGURES = (
    "confusion_matrix",
    "embedding_map",
    "embedding_outliers",
    "embedding_umap",
    "example_gallery",
    "explanation",
    "regression_scatter",
    "reliability_diagram",
    "roc_curve",
    "completeness_by_truth",
    "found_in_top",
    "interval_coverage",
    "precision_recall",
    "pull_histogram",
    "purity_completeness",
    "residual_histogram",
    "rotation_accuracy_*",
    "rotation_profile",
    "rotation_profile_*",
    "rotation_worst_*",
    "score_histogram",
    "training_curves",
)
# What is measured on other data lies in a folder for each, with files named as those of a run.
_EVALUATIONS = "evaluations"
_EVALUATED = ("experiment.yaml", "data.json", "metrics.json", "predictions.csv", "report.html")
_EXPORT_FILES = (
    MARK,
    "model.keras",
    "model.onnx",
    "model.tflite",
    "saved_model.pb",
    "fingerprint.pb",
    "variables/variables.index",
    "variables/variables.data-*",
    "assets/*",
)
_EXPORTS = ("saved_model", "keras", "litert", "litert_float16", "litert_int8", "onnx")
_LOCK = (".lock", ".lock.json", ".lock.break.*", ".lock.restore.*")


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that lensnet makes.

    Args:
        name: as its mark says it.
        words: what it is called in a message.
        patterns: the files that may be in it, by their path; `**` stands for whatever lies below.
        option: the option by which the user names another folder.
        within: the folders of another kind that may be in it, which are looked at for themselves.
    """

    name: str
    words: str
    patterns: tuple[str, ...]
    option: str
    within: tuple[str, ...] = ()

    def write_mark(self, folder: Path, **content: Any) -> None:
        """Marks a folder as lensnet's own."""
        files.write_json(folder / MARK, {"kind": self.name, **content})

    def is_marked(self, folder: Path) -> bool:
        """Returns whether lensnet has made a folder; also one of a version that set no mark."""
        mark = mapping_in(folder / MARK)
        if mark.get("kind") == self.name:
            return True
        if self.name == "export":
            return {"input", "classes", "experiment"} <= mark.keys()
        earlier = {"lensnet", "packages", "command"}
        return self.name == "run" and earlier <= mapping_in(folder / "environment.json").keys()

    def holds_something(self, folder: Path) -> bool:
        """Returns whether there is a folder with more in it than its lock, whosever that is."""
        return folder.is_dir() and any(True for _ in self._sorted_out(folder))

    def own_files(self, folder: Path) -> list[Path]:
        """Returns the files in a folder that lensnet writes, but for those of its lock."""
        return [path for path, is_own in self._sorted_out(folder) if is_own]

    def foreign_files(self, folder: Path) -> list[Path]:
        """Returns what lies in a folder that lensnet does not write there."""
        return [path for path, is_own in self._sorted_out(folder) if not is_own]

    def check_removable(self, folder: Path) -> None:
        """Checks that nothing is lost but what lensnet has made if a folder is replaced.

        Raises:
            RunError: it is not a folder, or is not lensnet's own, or not in whole.
        """
        another = f"Name another with {self.option}."
        if folder.is_symlink():
            raise RunError(
                f"{folder} is a link, and nothing is removed through a link. Name the folder that "
                f"it leads to, or another, with {self.option}."
            )
        if not folder.is_dir():
            raise RunError(
                f"{folder} is a file and not {self.words}, so it is left alone. {another}"
            )
        if holds_working_directory(folder):
            raise RunError(
                f"{folder} is the working directory or holds it, and is never removed. {another}"
            )
        if not self.is_marked(folder):
            raise RunError(
                f"{folder} exists and is not {self.words}, so it is left alone. {another}"
            )
        foreign = self.foreign_files(folder)
        if foreign:
            more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise RunError(
                f"{folder} holds {foreign[0].relative_to(folder)}{more}, which lensnet has not "
                f"written, so it is left alone. Move that elsewhere, or name another with "
                f"{self.option}."
            )

    def empty(self, folder: Path) -> None:
        """Removes the files of a folder that lensnet has written; its lock and itself stay.

        Raises:
            RunError: as `check_removable`; then nothing is removed.
        """
        self.check_removable(folder)
        own = self.own_files(folder)
        # The mark goes last: what a kill leaves can be told to be ours.
        for path in sorted(own, key=lambda path: path == folder / MARK):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        below = {parent for path in own for parent in path.parents} - {folder, *folder.parents}
        for directory in sorted(below, key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):  # somebody has put a file there meanwhile
                directory.rmdir()

    def _sorted_out(self, folder: Path) -> Iterator[tuple[Path, bool]]:
        for path in _everything(folder):
            relative = path.relative_to(folder)
            if len(relative.parts) == 1 and any(fnmatchcase(relative.name, name) for name in _LOCK):
                continue
            if any(fnmatchcase(relative.parts[0], name) for name in self.within):
                continue
            yield path, self._is_own(path, relative)

    def _is_own(self, path: Path, relative: PurePath) -> bool:
        mode = path.lstat().st_mode
        if self.name == "run" and relative.parts[0] == _EVALUATIONS:
            return self._is_own_evaluation(path, PurePath(*relative.parts[1:]))
        if stat.S_ISDIR(mode):  # an empty one
            return any(pattern.startswith(f"{relative.as_posix()}/") for pattern in self.patterns)
        below = relative.parts[0] + "/**" in self.patterns
        if not below and not stat.S_ISREG(mode):
            return False
        return any(_matches(relative, pattern) for pattern in self.patterns) or (
            self.name == "run" and relative.parent.name == "figures" and _is_marked_image(path)
        )

    def _is_own_evaluation(self, path: Path, relative: PurePath) -> bool:
        """Whether something in `evaluations/` is of results on other data, named as a run's are."""
        of_one = PurePath(*relative.parts[1:])
        if not of_one.parts:  # `evaluations/` itself, or that of one name
            return stat.S_ISDIR(path.lstat().st_mode)
        return of_one.parts[0] in (*_EVALUATED, "figures") and self._is_own(path, of_one)


EXPORT = FolderKind("export", "an export", _EXPORT_FILES, "-o")

RUN = FolderKind(
    "run",
    "a run folder",
    (
        MARK,
        "experiment.yaml",
        "environment.json",
        "data.json",
        "ensemble.json",
        "quarantine.csv",
        "log.txt",
        "history.csv",
        "non_finite_batch.csv",
        "checkpoints/last.npz",
        "checkpoints/last.keras",
        "model.keras",
        "metrics.json",
        "invariance.json",
        "learning.json",
        "predictions.csv",
        "report.html",
        *(f"figures/{name}.png" for name in _FIGURES),
        "tensorboard/events.out.tfevents.*",
        "wandb/**",
        *(f"export/{format}/{name}" for format in _EXPORTS for name in _EXPORT_FILES),
    ),
    "--run-dir",
)

SERIES = FolderKind(
    "series",
    "a folder of several runs",
    (MARK, "series.yaml", "summary.json", "summary.csv", "summary.html", "predictions.csv"),
    "--run-dir",
    within=("seed-*", "fold-*"),
)

LEARNING_RATE_TEST = FolderKind(
    "learning_rate_test",
    "a learning-rate test",
    (MARK, "learning_rate.csv", "learning_rate.png"),
    "--run-dir",
)


def holds_working_directory(folder: Path) -> bool:
    """Returns whether a folder is the working directory or one above it."""
    here = Path.cwd().resolve()
    there = folder.resolve()
    return there == here or there in here.parents


def _everything(folder: Path) -> Iterator[Path]:
    """Yields the files, links and empty folders below a folder; it follows no link."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        below: Iterator[Path] = iter(())
        if entry.is_dir(follow_symlinks=False):
            below = _everything(Path(entry.path))
        first = next(below, None)
        yield Path(entry.path) if first is None else first
        yield from below


def _matches(relative: PurePath, pattern: str) -> bool:
    parts = pattern.split("/")
    if parts[-1] == "**":
        return len(relative.parts) >= len(parts) and relative.parts[: len(parts) - 1] == tuple(
            parts[:-1]
        )
    if len(parts) != len(relative.parts) or list(relative.parts[:-1]) != parts[:-1]:
        return False
    temporary = _TEMPORARY.fullmatch(relative.name)
    names = [relative.name]
    if temporary is not None:
        names.append(temporary["stem"] + (temporary["suffix"] or ""))
    return any(fnmatchcase(name, parts[-1]) for name in names)


def _is_marked_image(path: Path) -> bool:
    with path.open("rb") as file:
        return b"Software\0lensnet" in file.read(4096)
