"""What is asked of `lensnet predict`, checked before a model is loaded."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from lensnet.config import Experiment
from lensnet.data.files.decoding import ENDINGS as IMAGES
from lensnet.data.files.file_reader import FileReader
from lensnet.errors import ConfigurationError
from lensnet.overwriting import check_file_output, check_table

__all__ = ["ScoreFiles", "what_is_taken"]


@dataclass(frozen=True)
class ScoreFiles:
    """The table of scores, and what may lie beside it.

    Args:
        scores: the table.
    """

    scores: Path

    @classmethod
    def checked(cls, output: str | Path, *, overwrite: bool) -> ScoreFiles:
        """Returns the files of an output that can be written.

        Raises:
            ConfigurationError: the output is to be of a kind that is not written, or nothing can
                be written there.
            RunError: one of them exists, and is not to be overwritten or is not one of lensnet's;
                or there is no folder to write into.
        """
        written = cls(Path(output))
        name = written.scores.name
        if written.scores.suffix.lower() != ".csv":
            raise ConfigurationError(
                f"Scores are written as CSV, and {name} does not end with .csv. Name the output "
                f"{written.scores.stem}.csv; astropy and pandas read it."
            )
        columns = {
            written.scores: ("id", "file"),
            written.quarantine: ("file", "reason"),
            written.filled: ("id", "file", "filled_pixels"),
        }
        for path, first in columns.items():
            check_own = functools.partial(check_table, columns=first)
            check_file_output(path, check_own, overwrite=overwrite)
        return written

    @property
    def quarantine(self) -> Path:
        """The files that cannot be used, and why."""
        return self.scores.with_suffix(".quarantine.csv")

    @property
    def filled(self) -> Path:
        """The images of which pixels have been filled."""
        return self.scores.with_suffix(".filled.csv")


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
