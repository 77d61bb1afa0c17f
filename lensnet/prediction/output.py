"""Where a table of scores goes, and whether it may go there; imports no framework."""

from __future__ import annotations

from pathlib import Path

from lensnet import files
from lensnet.errors import RunError
from lensnet.overwriting import check_table

__all__ = ["check_output", "lists_beside"]


def lists_beside(output: Path) -> tuple[Path, Path]:
    """Returns the lists of bad and of filled images that lie beside a table of scores."""
    return output.with_suffix(".quarantine.csv"), output.with_suffix(".filled.csv")


def check_output(output: Path, *, overwrite: bool) -> None:
    """Checks that a table of scores can be written, and takes no foreign file's place.

    Args:
        output: the table.
        overwrite: replace a table that lensnet has written, and its lists.

    Raises:
        RunError: a file exists, and is not to be replaced, or is not one of lensnet's; or there is
            no folder to write into.
        ConfigurationError: nothing can be written there.
    """
    quarantine, filled = lists_beside(output)
    columns = {
        output: ("id", "file"),
        quarantine: ("file", "reason"),
        filled: ("id", "file", "filled_pixels"),
    }
    for path, first in columns.items():
        if not path.is_symlink() and not path.exists():
            continue
        if not overwrite:
            raise RunError(f"{path} exists already. Replace it by --overwrite.")
        check_table(path, first)
    if not output.parent.is_dir():
        raise RunError(f"There is no folder {output.parent} to write {output.name} into.")
    files.check_writable(output.parent, "Name another place with -o.")
