"""What tells a finished directory of records from one that is not.

The manifest is written last, names every file beside it with its size, and travels with them when
the temporary directory is renamed. A directory without one, or with a file missing or cut short,
is prepared anew.
"""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["MANIFEST", "is_complete", "write_manifest"]

MANIFEST = "manifest.json"

# Written by TFDS after the manifest.
_METADATA = ("dataset_info.json", "features.json")


def write_manifest(directory: Path) -> None:
    """Writes the names and sizes of a directory's files."""
    sizes = {
        file.name: file.stat().st_size
        for file in sorted(directory.iterdir())
        if file.is_file() and file.name != MANIFEST
    }
    (directory / MANIFEST).write_text(json.dumps({"sizes": sizes}, indent=1))


def is_complete(directory: Path) -> bool:
    """Returns whether a directory holds everything that was prepared in it."""
    try:
        sizes = json.loads((directory / MANIFEST).read_text())["sizes"]
        for name in _METADATA:
            json.loads((directory / name).read_text())
        return all((directory / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
