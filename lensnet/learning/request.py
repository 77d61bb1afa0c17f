"""What is asked of `lensnet learn`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lensnet.data.files.mosaics import CutoutSize
from lensnet.errors import ConfigurationError, DataError, did_you_mean
from lensnet.run_folder import RunFolder

__all__ = ["Request", "class_names", "next_run_dir"]


@dataclass(frozen=True)
class Request:
    """What is learned from, and how.

    Args:
        run: the run whose network proposed the candidates.
        grades: files of grades.
        scores: the table of scores that the candidates were chosen from; None where the grades name
            the images themselves.
        output: the next run folder; by default the run's with the next number.
        lens_class: the class of candidates that are graded as lenses; by default the second of two.
        other_class: the class of the others; by default the first of two.
        c_as: what the grade C means: `lens`, `other`, or `none` for leaving such candidates out.
        weigh: `score` for weights that undo the selection by score, `equal` for none.
        share: of the loss of training that candidates have together; None for as many as they are.
        held_out: share of the candidates that the gain is measured on.
        mosaics: patterns of mosaics to cut candidates without a file out of; () for the run's.
        bands: what stands for `{band}` in them; () for the run's.
        size: how large to cut; None for the run's, or the size of its images.
        overrides: `"dotted.key=value"` strings for the next experiment.
    """

    run: Path
    grades: Sequence[Path]
    scores: Path | None = None
    output: Path | None = None
    lens_class: str | None = None
    other_class: str | None = None
    c_as: Literal["lens", "other", "none"] = "none"
    weigh: Literal["score", "equal"] = "score"
    share: float | None = None
    held_out: float = 0.2
    mosaics: Sequence[str] = ()
    bands: Sequence[str] = ()
    size: CutoutSize | None = None
    overrides: Sequence[str] = ()

    @property
    def next_run(self) -> Path:
        """The next run folder."""
        return self.output or next_run_dir(self.run)

    @property
    def candidates_dir(self) -> Path:
        """Where the candidates and the next experiment file go."""
        return self.next_run.with_name(f"{self.next_run.name}.candidates")


def next_run_dir(run: Path) -> Path:
    """Returns the run folder of the next round.

    >>> next_run_dir(Path("runs/c4")).name, next_run_dir(Path("runs/c4-2")).name
    ('c4-2', 'c4-3')
    """
    match = re.fullmatch(r"(.+)-(\d+)", run.name)
    name, number = (match[1], int(match[2]) + 1) if match else (run.name, 2)
    return run.with_name(f"{name}-{number}")


def class_names(run: RunFolder, lens_class: str | None, other_class: str | None) -> tuple[str, str]:
    """Returns the classes of candidates that are lenses, and of those that are not.

    Args:
        run: the run.
        lens_class: what the user says of the former; None for the second of two classes.
        other_class: of the latter; None for the first of two.

    Raises:
        DataError: the run predicts a quantity.
        ConfigurationError: it has no such class, or several and nobody says which.
    """
    classes = run.read_data().classes
    if not classes:
        raise DataError(
            f"The run {run.path} predicts a quantity, and grades are of classes: there is nothing "
            "to learn from them."
        )
    if len(classes) != 2 and (lens_class is None or other_class is None):
        raise ConfigurationError(
            f"The run {run.path} has the classes {', '.join(classes)}: say by --lens-class and "
            "--other-class which of them candidates graded A and B are, and those graded X."
        )
    found = (lens_class or classes[1], other_class or classes[0])
    for name in found:
        if name not in classes:
            raise ConfigurationError(
                f'The run {run.path} has no class "{name}".{did_you_mean(name, classes)} Its '
                f"classes: {', '.join(classes)}."
            )
    if found[0] == found[1]:
        raise ConfigurationError(f'"{found[0]}" cannot be both the lens class and the other one.')
    return found
