"""What images are asked about, checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lensnet.config import Experiment
from lensnet.data.files.catalogues import ENDINGS as TABLES
from lensnet.data.files.decoding import ENDINGS as IMAGES
from lensnet.data.files.decoding import image_ending
from lensnet.data.files.file_reader import FileReader
from lensnet.errors import DataError
from lensnet.registry import load_object

if TYPE_CHECKING:
    from lensnet.data.sources.inputs import OpenTable

__all__ = ["check_inputs", "table_opener", "what_is_taken"]


def check_inputs(experiment: Experiment, inputs: Sequence[str | Path]) -> None:
    """Refuses inputs of which a run takes none.

    What is bad among others is listed in the quarantine instead.

    Args:
        experiment: the run's.
        inputs: files, folders and tables.

    Raises:
        DataError: one does not exist, or the run takes none of them.
    """
    paths = [Path(path).expanduser() for path in inputs]
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise DataError(f"There is no file or folder {path}.")
    if experiment.dataset.table is not None:
        return
    if any(path.is_dir() or image_ending(path.name) for path in paths):
        return
    first = paths[0].name
    is_table = first.lower().endswith(TABLES)
    todo = "Name the files or the folder that it is about" if is_table else "Name one of these"
    raise DataError(
        f"{first} is {'a table' if is_table else 'not an image'}. {what_is_taken(experiment)} "
        f"{todo}."
    )


def what_is_taken(experiment: Experiment) -> str:
    """Says what a run scores, in sentences."""
    shape = "image files ({}) and folders of them".format(", ".join(IMAGES))
    bands = FileReader.from_options(experiment.dataset_options).bands
    if bands is not None:
        shape += (
            f", an image being a file for each band ({', '.join(bands.bands)}) named like "
            f'"{bands.file_pattern}"'
        )
    if experiment.dataset.table is not None:
        return f"This run was trained on {experiment.data.dataset}: it takes tables, and {shape}."
    return (
        f"This run was trained on {experiment.data.dataset}: it takes {shape}. Tables are taken by "
        "runs that were trained on one (data.dataset: fits_catalog)."
    )


def table_opener(experiment: Experiment) -> OpenTable | None:
    """Returns what loads the images that a table names; None where the run takes no tables."""
    table = experiment.dataset.table
    if table is None:
        return None
    open_table = load_object(table)
    return lambda path: open_table(path, experiment.dataset_options, experiment.source_dir)
