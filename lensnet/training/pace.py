"""When a training writes its state, when it stops because it is asked, when its time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from lensnet.config.control import Checkpoints, seconds_of
from lensnet.config.sections import Training
from lensnet.interruption import Interruption
from lensnet.training.workers import has_several_workers, sum_over_replicas

__all__ = ["Pace", "Verdict", "agreement"]


class Verdict(NamedTuple):
    """What is to be done after a step."""

    write: bool
    """Write a checkpoint."""
    stop: bool
    """Write one and stop: the process was asked to."""
    end: bool
    """End the training here: its time is over."""


class Pace:
    """Judges after each step what is to be done, all workers alike.

    Args:
        checkpoints: how often the state is written.
        budget: seconds after which the training ends; None for never.
        interruption: what asks to stop.
        agree: makes of what one worker finds what any of them has found; see `agreement`.

    Attributes:
        seconds_before: that the training had taken when this process took it up.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        budget: float | None,
        interruption: Interruption,
        agree: Callable[[list[bool]], list[bool]] | None = None,
    ):
        self.checkpoints = checkpoints
        self.budget = budget
        self.interruption = interruption
        self.agree = agree
        self.seconds_before = 0.0
        self._began = self._written = time.monotonic()

    @classmethod
    def of(cls, training: Training, interruption: Interruption, strategy: Any) -> Pace:
        """Makes the pace of a training.

        Args:
            training: its section.
            interruption: what asks to stop.
            strategy: of `tf.distribute`.
        """
        budget = None if training.time_budget is None else seconds_of(training.time_budget)
        return cls(training.checkpoint, budget, interruption, agreement(strategy))

    def begin(self) -> None:
        """Starts the clocks."""
        self._began = self._written = time.monotonic()

    def written(self) -> None:
        """Takes note that a checkpoint was written."""
        self._written = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the training has taken, with what it took before it was resumed."""
        return self.seconds_before + time.monotonic() - self._began

    @property
    def is_asked(self) -> bool:
        """Whether this process, which is the only one, was asked to stop."""
        return self.agree is None and self.interruption.is_requested

    def after_step(self, step: int) -> Verdict:
        """Judges.

        Args:
            step: how many steps of the epoch are done; 0 after its end.
        """
        checkpoints = self.checkpoints
        since = time.monotonic() - self._written
        found = [
            checkpoints.minutes is not None and since >= 60 * checkpoints.minutes,
            self.interruption.is_requested,
            self.budget is not None and self.seconds >= self.budget,
        ]
        if self.agree is not None:
            found = self.agree(found)
        by_steps = checkpoints.steps is not None and step % checkpoints.steps == 0
        return Verdict(found[0] or by_steps, found[1], found[2])


def agreement(strategy: Any) -> Callable[[list[bool]], list[bool]] | None:
    """Returns what tells each worker what any of them has found; None where there is only one.

    Workers must stop after the same step, or one waits for the other's part of a gradient; and
    what is read of metrics for a checkpoint is a sum that all of them take part in.

    Args:
        strategy: of `tf.distribute`.
    """
    if not has_several_workers(strategy):
        return None
    summed = sum_over_replicas(strategy)
    return lambda found: [bool(number) for number in summed(found)]
