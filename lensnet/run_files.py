"""What each file of a run folder is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RunFiles"]


@dataclass(frozen=True)
class RunFiles:
    """Where everything of one training lies, whether it is there or not.

    Args:
        path: the run folder.
    """

    path: Path

    @property
    def has_lock(self) -> bool:
        """Whether a process holds the folder, or died while it did."""
        return (self.path / ".lock").exists()

    @property
    def is_ensemble(self) -> bool:
        """Whether it holds the networks of other runs, made by `lensnet ensemble`."""
        return self.ensemble_file.is_file()

    @property
    def ensemble_file(self) -> Path:
        """The members of an ensemble, and what they reach on the validation split."""
        return self.path / "ensemble.json"

    @property
    def experiment_file(self) -> Path:
        """The resolved experiment."""
        return self.path / "experiment.yaml"

    @property
    def model_file(self) -> Path:
        """The best model by validation."""
        return self.path / "model.keras"

    @property
    def history_file(self) -> Path:
        """A row an epoch."""
        return self.path / "history.csv"

    @property
    def checkpoint_file(self) -> Path:
        """The state of the training, from which `--resume` goes on."""
        return self.path / "checkpoints" / "last.npz"

    @property
    def last_model_file(self) -> Path:
        """The model as the training left it; `model_file` is the best."""
        return self.path / "checkpoints" / "last.keras"

    @property
    def metrics_file(self) -> Path:
        """The metrics of validation and test."""
        return self.path / "metrics.json"

    @property
    def predictions_file(self) -> Path:
        """The predictions for the test split."""
        return self.path / "predictions.csv"

    @property
    def report_file(self) -> Path:
        """The report."""
        return self.path / "report.html"

    @property
    def figures_dir(self) -> Path:
        """The figures."""
        return self.path / "figures"

    @property
    def log_file(self) -> Path:
        """What was said on the way."""
        return self.path / "log.txt"
