"""The main loop of a search: one trial after the other, as long as there are any."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import TrialState

from lensnet.config.search import SearchPlan
from lensnet.errors import ConfigurationError, DataError, LensnetError, RunError, is_full_disk
from lensnet.interruption import Interrupted
from lensnet.search.folder import SearchFolder, default_search_dir
from lensnet.search.objective import Objective, StoppedTrial, fit_trial
from lensnet.search.report import write_results
from lensnet.search.study import EXIT_CODE, MOST_STARTS, REASON, ClaimedTrial, SharedStudy
from lensnet.search.wording import short_values

__all__ = ["HOPELESS", "search"]

_log = logging.getLogger(__name__)

HOPELESS = 5
"""A search ends when so many trials have failed and none has not: a mistake is common to all."""


def search(
    plan: SearchPlan,
    search_dir: str | Path | None = None,
    *,
    resume: bool = False,
    objective: Objective = fit_trial,
) -> SearchFolder:
    """Tries values of an experiment's keys until there are as many trials as are asked for.

    Any number of processes, on any number of machines, search in one folder at a time. A process
    that is killed loses nothing: its trial is gone on with, by it or another one, from its last
    whole epoch. It returns when no trial is left for it, others of which may still be at theirs.

    Args:
        plan: the search.
        search_dir: the search folder, which all processes share. Default: `searches/<name>`.
        resume: go on with a search that is there, or take part in it.
        objective: measures a trial.

    Returns:
        the search folder, with a report of the trials that have ended.

    Raises:
        RunError: the folder is in the way.
        ConfigurationError: the database is not one.
        LensnetError: all trials failed, with the exit code and the reason of the last one; or the
            database cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # we say it ourselves
    folder = SearchFolder.begin(plan, search_dir or default_search_dir(plan), resume=resume)
    study = SharedStudy(plan, folder)
    _Searcher(study, objective).search()
    return folder


class _Searcher:
    """One process of a search.

    Args:
        study: its trials.
        objective: measures a trial.
    """

    def __init__(self, study: SharedStudy, objective: Objective):
        self.study = study
        self.objective = objective

    def search(self) -> None:
        self._go_on(at_once=True)
        while self._try_new():
            pass
        # Whoever is at a trial still may be on a machine that has died.
        while self._go_on(at_once=False):
            pass
        write_results(self.study)
        running = [trial for trial in self.study.trials() if not trial.state.is_finished()]
        if running:
            _log.info("%d trials are still being trained by other processes.", len(running))
        self._check_hope(1)

    def _try_new(self) -> bool:
        with self.study.claim_new() as trial:
            if trial is None:
                return False
            self._try(trial)
        return True

    def _go_on(self, *, at_once: bool) -> bool:
        """Goes on with trials whose process has died; returns whether there was one."""
        found = False
        for known in self.study.trials():
            if known.state.is_finished():
                continue
            with self.study.claim_abandoned(known.number, at_once=at_once) as trial:
                if trial is not None:
                    _log.info("Trial %04d was left behind by a process that died.", trial.number)
                    self._try(trial)
                    found = True
        return found

    def _try(self, trial: ClaimedTrial) -> None:
        plan = self.study.plan
        _log.info(
            "Trial %04d of %d: %s", trial.number, plan.trials, short_values(trial.values) or "as is"
        )
        if trial.note_start() > MOST_STARTS:
            trial.fail(
                f"its process ended {MOST_STARTS} times before the end of an epoch; has it taken "
                "all memory?",
                LensnetError.exit_code,
            )
            _log.warning("Trial %04d failed: its process ended again and again.", trial.number)
        else:
            self._measure(trial)
        write_results(self.study, with_page=False)
        self._check_hope(HOPELESS)

    def _measure(self, trial: ClaimedTrial) -> None:
        plan = self.study.plan

        def report(epoch: int, value: float) -> None:
            if trial.report(epoch, value):
                raise StoppedTrial

        try:
            experiment = plan.experiment(trial.values, f"{plan.name}-{trial.number:04d}")
            run_dir = self.study.folder.trial(trial.number).path
            values = self.objective(experiment, run_dir, plan.objectives, report)
            if not all(math.isfinite(value) for value in values):
                raise LensnetError(f"It measured {values}.")
        except Interrupted as stopped:
            resume = f"lensnet search --resume --search-dir {self.study.folder.path}"
            raise Interrupted(f"Trial {trial.number:04d}: {stopped.where}", resume) from None
        except StoppedTrial:
            trial.prune()
            _log.info("Trial %04d was stopped: others are better.", trial.number)
        except Exception as error:
            if not _is_the_trials(error):
                raise
            reason = _reason_of(error)
            trial.fail(reason, getattr(error, "exit_code", 1))
            _log.warning("Trial %04d failed: %s", trial.number, reason, exc_info=_trace_of(error))
        else:
            trial.complete(values)
            measured = zip(plan.objectives, values, strict=True)
            text = ", ".join(f"{name} {value:.6g}" for name, value in measured)
            _log.info("Trial %04d: %s", trial.number, text)

    def _check_hope(self, fewest: int) -> None:
        """Ends the search where nothing but failures has come of it.

        Args:
            fewest: failures that are enough.
        """
        ended = [trial for trial in self.study.trials() if trial.state.is_finished()]
        if len(ended) < fewest or any(trial.state != TrialState.FAIL for trial in ended):
            return
        last = max(ended, key=lambda trial: trial.datetime_complete or trial.datetime_start)
        write_results(self.study)
        kind = _KINDS.get(last.user_attrs.get(EXIT_CODE, 1), LensnetError)
        raise kind(
            f"All {len(ended)} trials of the search failed, the last one ({last.number:04d}) "
            f"because: {last.user_attrs.get(REASON, 'unknown')}"
        )


_KINDS: dict[int, Callable[[str], LensnetError]] = {
    ConfigurationError.exit_code: ConfigurationError,
    DataError.exit_code: DataError,
}


def _is_the_trials(error: Exception) -> bool:
    """Whether an error is the trial's own, and not the machine's, which the next would meet too."""
    if isinstance(error, LensnetError):
        is_configuration = isinstance(error, ConfigurationError) and not isinstance(error, RunError)
        # A kind of its own is not about the training: a database, an interruption.
        return is_configuration or type(error) in (LensnetError, DataError)
    return not isinstance(error, OSError) and not is_full_disk(error)


def _reason_of(error: Exception) -> str:
    """Words in one line why a trial failed."""
    words = " ".join(str(error).split())
    if isinstance(error, LensnetError):
        return words
    kind = type(error).__name__
    if isinstance(error, MemoryError) or kind == "ResourceExhaustedError":
        return f"out of memory ({kind}: {words[:300]})"
    return f"{kind}: {words[:300]}"


def _trace_of(error: Exception) -> Exception | None:
    """Returns an error whose place in the code somebody will want to know."""
    return None if isinstance(error, LensnetError | MemoryError) else error
