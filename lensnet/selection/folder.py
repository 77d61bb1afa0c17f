"""The folder of a selection function: when it can be made, and making it."""

from __future__ import annotations

from pathlib import Path

from lensnet import files
from lensnet.errors import RunError
from lensnet.overwriting import MARK, FolderKind

__all__ = ["check_folder", "make_folder"]

_KIND = FolderKind(
    "selection",
    "a selection function",
    (
        *(MARK, "arcs.csv", "completeness.csv", "completeness_map.csv", "left_out.csv"),
        *("data.yaml", "report.html", "figures/*.png", "images/**"),
    ),
    "-o",
)


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Checks, before any work, that a folder can be made, or made anew.

    Args:
        folder: which.
        overwrite: whether what lensnet has written there may be replaced.

    Raises:
        RunError: it holds something, and is not to be replaced or is not lensnet's own.
        ConfigurationError: nothing can be written there.
    """
    is_in_the_way = folder.is_symlink() or (folder.exists() and not folder.is_dir())
    if is_in_the_way or _KIND.holds_something(folder):
        if not overwrite:
            raise RunError(
                f"{folder} exists already. Replace it by --overwrite, or name another with -o."
            )
        _KIND.check_removable(folder)
    files.check_writable(folder.absolute(), "Name another place with -o.")


def make_folder(folder: Path, run: str) -> None:
    """Makes a folder that bears lensnet's mark, in place of one of the kind that is there.

    Args:
        folder: which.
        run: the name of the run.

    Raises:
        RunError: what is there is not lensnet's own.
    """
    if _KIND.holds_something(folder):
        _KIND.empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _KIND.write_mark(folder, run=run)
