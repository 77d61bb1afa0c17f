"""The folder of a round: the candidates that are learned from, and the experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lensnet import files
from lensnet.datasets.graded.candidate_table import TABLE, Candidate, write_candidates
from lensnet.errors import RunError
from lensnet.overwriting import MARK, FolderKind

__all__ = ["CANDIDATES", "CUTOUTS", "EXPERIMENT", "check_free", "write_folder"]

CUTOUTS, EXPERIMENT = "cutouts", "experiment.yaml"

CANDIDATES = FolderKind(
    "candidates",
    "a folder of graded candidates",
    (MARK, TABLE, EXPERIMENT, f"{CUTOUTS}/*.npy"),
    "-o",
)


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Checks that a folder of candidates can be written.

    Raises:
        RunError: it is there, and is not to be overwritten or not in whole lensnet's own.
        ConfigurationError: nothing can be written there.
    """
    if CANDIDATES.holds_something(folder):
        if not overwrite:
            raise RunError(
                f"{folder} exists already. Go on with its training by --resume, replace it by "
                "--overwrite, or name another run folder with -o."
            )
        CANDIDATES.check_removable(folder)
    files.check_writable(folder, "Name another run folder with -o.")


def begin_folder(folder: Path) -> Path:
    """Makes an empty folder of candidates, and returns that of its cutouts."""
    if folder.is_dir() and CANDIDATES.is_marked(folder):
        CANDIDATES.empty(folder)
    cutouts = folder / CUTOUTS
    cutouts.mkdir(parents=True, exist_ok=True)
    CANDIDATES.write_mark(folder)
    return cutouts


def write_folder(folder: Path, candidates: Sequence[Candidate], experiment: str) -> Path:
    """Writes the table of candidates and the experiment file, and returns the latter's path.

    Args:
        folder: which has the cutouts already.
        candidates: their files are named from the folder on.
        experiment: YAML.
    """
    write_candidates(folder / TABLE, candidates)
    files.write_text(folder / EXPERIMENT, experiment)
    return folder / EXPERIMENT
