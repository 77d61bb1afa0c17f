"""Which epoch's model a run keeps: one rule for training, figures, reports and searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lensnet.config.sections import EarlyStopping

__all__ = ["BestEpochRule"]

_Row = TypeVar("_Row", bound=Mapping[str, Any])


@dataclass(frozen=True)
class BestEpochRule:
    """Goes through epochs and keeps one that is better than the best before it.

    Args:
        monitor: the column of history.csv that is compared.
        lower_is_better: whether less of it is better.
        min_delta: a gain must be larger than this to count.

    Example:

    >>> rule = BestEpochRule("val_loss", lower_is_better=True, min_delta=0.01)
    >>> rule.best_row([{"epoch": n, "val_loss": loss} for n, loss in enumerate((0.9, 0.5, 0.495))])
    {'epoch': 1, 'val_loss': 0.5}
    """

    monitor: str
    lower_is_better: bool
    min_delta: float = 0.0

    @classmethod
    def of(cls, early_stopping: EarlyStopping | None, monitors: Mapping[str, str]) -> BestEpochRule:
        """Returns the rule of an experiment.

        Args:
            early_stopping: `training.early_stopping`; None for the smallest `val_loss`.
            monitors: of its task: "min" or "max" for each column that may be monitored.
        """
        if early_stopping is None:
            return cls("val_loss", monitors["val_loss"] == "min")
        monitor = early_stopping.monitor
        return cls(monitor, monitors[monitor] == "min", early_stopping.min_delta)

    def improves(self, value: float, best: float | None) -> bool:
        """Returns whether a value is better than the best so far; any is better than none."""
        if best is None:
            return True
        gain = best - value if self.lower_is_better else value - best
        return gain > self.min_delta

    def best_row(self, history: Sequence[_Row]) -> _Row:
        """Returns the row of the epoch that is kept.

        Args:
            history: a row an epoch, at least one, whose values may be text.
        """
        kept = history[0]
        for row in history[1:]:
            if self.improves(float(row[self.monitor]), float(kept[self.monitor])):
                kept = row
        return kept
