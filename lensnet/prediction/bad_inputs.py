"""What is said of inputs that hold no usable image."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lensnet.config import Experiment
from lensnet.csv_tables import name_as_text, write_table
from lensnet.errors import DataError
from lensnet.prediction.planning import Input
from lensnet.prediction.requests import what_is_taken

__all__ = ["nothing_usable", "write_quarantine"]

_log = logging.getLogger(__name__)

# Bad inputs that are named where there is nothing else to say.
_SHOWN = 5


def nothing_usable(experiment: Experiment, bad: Sequence[Input]) -> DataError:
    """Returns the error that no image could be used, with the reasons and what the run takes.

    Args:
        experiment: the run's.
        bad: the inputs, none of which could be used.
    """
    lines = ["There is no image to score: the inputs name none."]
    if bad:
        lines = [f"None of the {len(bad)} images could be used:"]
        lines += [f"  {str(item.error).rstrip('.')}" for item in bad[:_SHOWN]]
        lines += [f"  and {len(bad) - _SHOWN} more"] * (len(bad) > _SHOWN)
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
