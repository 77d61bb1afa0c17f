"""What the epochs of a training have reached, and which of them is the best."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lensnet import files
from lensnet.best_epoch import BestEpochRule
from lensnet.config.sections import EarlyStopping

__all__ = ["History", "to_seven_digits"]


def to_seven_digits(value: Any) -> float:
    """Returns a number with the digits that single precision has, as a history keeps it."""
    return float(f"{float(value):.7g}")


class History:
    """The rows of `history.csv`, and the best epoch of them.

    Args:
        early_stopping: what chooses the best epoch, and how long a better one is waited for; None
            for `val_loss`, and for ever.
        monitors: for each value that may choose the best epoch, whether the smallest ("min") or
            the largest ("max") is best.

    Attributes:
        rule: which epoch is the best.
        rows: of each epoch, values by name.
        best: the monitored value of the best epoch; None before the first.
        best_epoch: which it is, counted from 1.
        epochs_since_best: how many have come after it.
    """

    def __init__(self, early_stopping: EarlyStopping | None, monitors: Mapping[str, str]):
        self.early_stopping = early_stopping
        self.rule = BestEpochRule.of(early_stopping, monitors)
        self.rows: list[dict[str, Any]] = []
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.epochs_since_best = 0

    @property
    def seconds(self) -> float:
        """How long the epochs have taken."""
        return sum(float(row["seconds"]) for row in self.rows)

    @property
    def should_stop_early(self) -> bool:
        """Whether a better epoch has been waited for long enough."""
        stopping = self.early_stopping
        return stopping is not None and self.epochs_since_best >= stopping.patience

    def add(self, values: Mapping[str, float], seconds: float) -> None:
        """Takes up an epoch.

        Args:
            values: what was measured, to seven digits, the monitored value among it.
            seconds: how long it took.
        """
        epoch, value = len(self.rows) + 1, values[self.rule.monitor]
        self.rows.append({"epoch": epoch, **values, "seconds": round(seconds, 3)})
        if self.rule.improves(value, self.best):
            self.best, self.best_epoch, self.epochs_since_best = value, epoch, 0
        else:
            self.epochs_since_best += 1

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of it, as values that JSON can hold."""
        return {
            "history": self.rows,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "epochs_since_best": self.epochs_since_best,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave.

        Raises:
            KeyError, TypeError, ValueError: it is not such a state.
        """
        self.rows = [dict(row) for row in state["history"]]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]
        self.epochs_since_best = int(state["epochs_since_best"])

    def write(self, path: Path) -> None:
        """Writes `history.csv`, of an epoch at least."""
        with files.replacing(path) as temporary:
            with temporary.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, fieldnames=list(self.rows[-1]), restval="")
                writer.writeheader()
                writer.writerows(self.rows)
