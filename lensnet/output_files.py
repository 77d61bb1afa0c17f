"""Files that a command is asked to write: which may be replaced, told by how they begin.

Folders are `lensnet.overwriting`.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.errors import RunError

__all__ = ["check_file_output", "check_json", "check_page", "check_table", "mapping_in"]


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
    if _start_of_file(path) and mapping_in(path).get("kind") != kind:
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


def mapping_in(path: Path) -> dict[str, Any]:
    """Returns what a small JSON file says; {} where it says nothing or is not there."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > 1_000_000:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
