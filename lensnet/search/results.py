"""What came of a search: its trials as a table, and the best of them as an experiment file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from lensnet.config.search import SearchPlan
from lensnet.search.sampling import reading
from lensnet.search.study import REASON, SharedStudy

__all__ = ["TrialResult", "best_of", "front_of", "results_of"]

State = Literal["complete", "pruned", "failed", "running"]
_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class TrialResult:
    """What is known of a trial.

    Args:
        number: from 0.
        state: how it ended, if it has.
        values: what was tried, by the key.
        objectives: what was measured; None unless it is complete.
        course: the first objective by the epoch.
        seconds: from its beginning to its end, interruptions included; None before its end.
        reason: why it failed.
    """

    number: int
    state: State
    values: dict[str, Any]
    objectives: list[float] | None
    course: dict[int, float]
    seconds: float | None
    reason: str


def results_of(study: SharedStudy) -> list[TrialResult]:
    """Returns the trials of a search by number."""
    return [_result_of(study.plan, trial) for trial in study.trials()]


def best_of(plan: SearchPlan, results: list[TrialResult]) -> TrialResult | None:
    """Returns the trial with the best first objective, the first of several; None before any."""
    complete = [result for result in results if result.objectives is not None]
    return min(complete, key=lambda result: _costs(plan, result)[0], default=None)


def front_of(plan: SearchPlan, results: list[TrialResult]) -> list[TrialResult]:
    """Returns the trials than which no other is better in every objective, or equal in some."""
    complete = [result for result in results if result.objectives is not None]

    def dominates(one: TrialResult, other: TrialResult) -> bool:
        pairs = list(zip(_costs(plan, one), _costs(plan, other), strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    return [r for r in complete if not any(dominates(other, r) for other in complete)]


def _result_of(plan: SearchPlan, trial: FrozenTrial) -> TrialResult:
    try:
        values = plan.space.draw(reading(trial.params))
    except KeyError:  # it is being drawn
        values = {}
    ended = trial.datetime_complete
    seconds = (ended - trial.datetime_start).total_seconds() if ended else None
    is_complete = trial.state == TrialState.COMPLETE
    return TrialResult(
        number=trial.number,
        state=_STATES.get(trial.state, "running"),
        values=values,
        objectives=list(trial.values) if is_complete else None,
        course=dict(sorted(trial.intermediate_values.items())),
        seconds=seconds,
        reason=str(trial.user_attrs.get(REASON, "")),
    )


def _costs(plan: SearchPlan, result: TrialResult) -> list[float]:
    """The objectives, of each of which the smallest is best."""
    return [
        -value if direction == "max" else value
        for value, direction in zip(result.objectives or [], plan.directions, strict=True)
    ]
