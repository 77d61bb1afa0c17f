"""Tables of images that a network which learned from graded candidates is to score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lensnet.data.sources.source import Loaded
from lensnet.datasets.graded.options import Options
from lensnet.registry import load_object

__all__ = ["open_table"]


def open_table(path: Path, options: Options, source_dir: Path | None) -> Iterator[Loaded] | None:
    """Loads the images that a table names, as the base's data set has it; see `DatasetSpec.table`.

    Returns:
        None for what is not a table, and where the base takes none.
    """
    base = options.known_base
    if base.spec.table is None:
        return None
    found: Iterator[Loaded] | None = load_object(base.spec.table)(
        path, base.checked_options, base.path
    )
    return found
