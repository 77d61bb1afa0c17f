"""Where the curve of a learning-rate test goes, and whether it may go there."""

from __future__ import annotations

from pathlib import Path

from lensnet import files
from lensnet.config import Experiment
from lensnet.errors import RunError
from lensnet.overwriting import LEARNING_RATE_TEST
from lensnet.run_folder import default_run_dir

__all__ = ["check_test_folder", "default_test_dir"]


def default_test_dir(experiment: Experiment) -> Path:
    """Where it goes unless it is said: beside the run, `runs/<name>-learning-rate`."""
    run = default_run_dir(experiment)
    return run.with_name(f"{run.name}-learning-rate")


def check_test_folder(path: Path, *, overwrite: bool) -> None:
    """Checks that a curve can be written into a folder, and makes nothing.

    Args:
        path: the folder.
        overwrite: whether a curve that is there may be replaced.

    Raises:
        RunError: there is something, and it is not to be replaced, or is not such a curve.
        ConfigurationError: nothing can be written there.
    """
    another = "Name another folder with --run-dir."
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise RunError(f"{path} is a file or a link, so it is left alone. {another}")
    files.check_writable(path, another)
    kind = LEARNING_RATE_TEST
    if not kind.holds_something(path):
        return
    if kind.is_marked(path) and not overwrite:
        raise RunError(
            f"{path} holds the curve of an earlier test. Replace it by --overwrite, or name "
            "another folder with --run-dir."
        )
    kind.check_removable(path)
