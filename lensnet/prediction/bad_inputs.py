"""What is said of inputs that hold no usable image."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from lensnet.config import Experiment
from lensnet.csv_tables import name_as_text, write_table
from lensnet.data.files.decoding import ENDINGS as IMAGES
from lensnet.data.files.file_reader import FileReader
from lensnet.errors import DataError
from lensnet.prediction.planning import Input

__all__ = ["none_of", "nothing_usable", "what_is_taken", "write_quarantine"]

_log = logging.getLogger(__name__)

# Bad inputs that are named where there is nothing else to say.
_SHOWN = 5


def nothing_usable(experiment: Experiment, bad: Sequence[Input]) -> DataError:
    """Returns the error that no image could be used, with the reasons and what the run takes.

    Args:
        experiment: the run's.
        bad: the inputs, none of which could be used.
    """
    return none_of(experiment, len(bad), (str(item.error) for item in bad))


def none_of(experiment: Experiment, count: int, reasons: Iterable[str]) -> DataError:
    """Returns the error that none of so many images could be used.

    Args:
        experiment: the run's.
        count: how many images there were.
        reasons: why, each with the image's name; the first few are taken.
    """
    lines = ["There is no image to score: the inputs name none."]
    if count:
        lines = [f"None of the {count} images could be used:"]
        lines += [f"  {reason.rstrip('.')}" for reason in itertools.islice(reasons, _SHOWN)]
        lines += [f"  and {count - _SHOWN} more"] * (count > _SHOWN)
    return DataError("\n".join([*lines, what_is_taken(experiment)]))


def write_quarantine(path: Path, bad: Sequence[Input]) -> None:
    """Lists bad inputs with their reasons, and warns; without one, an old list is removed.

    Args:
        path: of the table.
        bad: the inputs that could not be used.
    """
    rows = [(name_as_text(item.path), item.error.reason if item.error else "") for item in bad]
    write_table(path, ("file", "reason"), rows)
    if bad:
        _log.warning("%d bad files were left out; %s says why.", len(bad), path)


def what_is_taken(experiment: Experiment) -> str:
    """Says what a run scores, in sentences."""
    shape = "image files ({}) and folders of them".format(", ".join(IMAGES))
    bands = FileReader.from_options(experiment.dataset_options).bands
    if bands is not None:
        shape += (
            f", an image being a file for each band ({', '.join(bands.bands)}) named like "
            f'"{bands.file_pattern}"'
        )
    return (
        f"This run was trained on {experiment.data.dataset}: it takes {shape}, stacks of images, "
        "and tables that name files or positions on mosaics."
    )
