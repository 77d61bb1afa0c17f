"""What `--overwrite` may remove: what lensnet has written, and nothing besides.

A folder is replaced only if it bears lensnet's mark and holds no file that lensnet does not write;
a table or a page only if it begins as lensnet's do. Nothing is removed through a link, and neither
is the working directory nor a folder that it lies in.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from lensnet import files
from lensnet.errors import RunError

__all__ = [
    "EXPORT",
    "LEARNING_RATE_TEST",
    "MARK",
    "RUN",
    "SERIES",
    "FolderKind",
    "check_file_output",
    "check_json",
    "check_page",
    "check_table",
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
        mark = _mapping(folder / MARK)
        if mark.get("kind") == self.name:
            return True
        if self.name == "export":
            return {"input", "classes", "experiment"} <= mark.keys()
        earlier = {"lensnet", "packages", "command"}
        return self.name == "run" and earlier <= _mapping(folder / "environment.json").keys()

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


def check_file_output(path: Path, check_own: Callable[[Path], None], *, overwrite: bool) -> None:
    """Checks, before any work, that a file can be written, and only over one of lensnet's own.

    Args:
        path: the file.
        check_own: raises a RunError where what is there is not one of lensnet's.
        overwrite: whether one of lensnet's may be replaced.

    Raises:
        RunError: it exists, and is not to be overwritten or is not one of lensnet's; or there is no
            folder to write into.
        ConfigurationError: nothing can be written there.
    """
    if path.is_symlink() or path.exists():
        if not overwrite:
            raise RunError(f"{path} exists already. Replace it by --overwrite.")
        check_own(path)
    if not path.parent.is_dir():
        raise RunError(f"There is no folder {path.parent} to write {path.name} into.")
    files.check_writable(path.parent, "Name another place with -o.")


def check_table(path: Path, columns: tuple[str, ...]) -> None:
    """Checks that a table that is to be replaced is one of lensnet's, by its first columns.

    Args:
        path: a CSV or FITS file, or nothing yet.
        columns: the names of the first columns.

    Raises:
        RunError: something else bears the name.
    """
    start = _start_of_file(path)
    if not start:
        return
    first_line = start.partition(b"\n")[0].decode("utf-8", "replace").lstrip("\ufeff").strip()
    cells = tuple(cell.strip('"') for cell in re.split("[,;\t]", first_line))
    names = (re.search(rb"TTYPE%d *= *'([^ ']*)" % n, start) for n in range(1, 1 + len(columns)))
    cards = tuple(found[1].decode("latin-1") if found else "" for found in names)
    is_own = cards == columns if start.startswith(b"SIMPLE") else cells[: len(columns)] == columns
    if not is_own:
        raise RunError(
            f"{path} exists and is not a table that lensnet has written, so it is left alone. Name "
            "another file with -o."
        )


def check_page(path: Path) -> None:
    """Checks that an HTML page that is to be replaced is one of lensnet's.

    Raises:
        RunError: something else bears the name.
    """
    start = _start_of_file(path)
    if start and b"lensnet</title>" not in start:
        raise RunError(
            f"{path} exists and is not a page that lensnet has written, so it is left alone. Move "
            "it elsewhere, or name another file."
        )


def check_json(path: Path, kind: str) -> None:
    """Checks that a JSON file that is to be replaced is one of lensnet's, by its key `kind`.

    Args:
        path: the file, or nothing yet.
        kind: what it must be, such as "benchmark".

    Raises:
        RunError: something else bears the name.
    """
    if _start_of_file(path) and _mapping(path).get("kind") != kind:
        raise RunError(
            f"{path} exists and is not a {kind} that lensnet has written, so it is left alone. "
            "Name another file with -o."
        )


def _start_of_file(path: Path) -> bytes:
    """Returns how a file begins that is to be replaced, b"" where there is none.

    Raises:
        RunError: the path is a folder, a link or a device.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a link or a device"
        raise RunError(f"{path} is {what} and not a file, so it is left alone. Name another file.")
    with path.open("rb") as file:
        return file.read(20_000)


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


def _mapping(path: Path) -> dict[str, Any]:
    """Returns what a small JSON file says; {} where it says nothing or is not there."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > 1_000_000:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
