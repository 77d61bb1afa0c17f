"""The trials of a search in their database: which there are, whose each is, how each ended.

Optuna keeps the trials and draws new ones; who works on which is decided by lensnet's locks in the
search folder (`lensnet.locking`), which a death releases:

- A new trial is drawn by one process at a time, so that there are exactly as many as are asked for.
- A trial is held by the process that works on it, from before it is drawn until its end is written.
  One that is not held and has not ended is that of a process that has died: it is gone on with.

Optuna's own heartbeat would declare such a trial failed and draw another one in its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, Trial, TrialState

from lensnet.config.search import SearchPlan
from lensnet.errors import ConfigurationError, LensnetError, RunError
from lensnet.locking import hold
from lensnet.search.folder import SearchFolder
from lensnet.search.sampling import drawing, make_pruner, make_sampler, reading

__all__ = ["EXIT_CODE", "MOST_STARTS", "REASON", "ClaimedTrial", "DatabaseError", "SharedStudy"]

MOST_STARTS = 5
"""How often a trial is begun or gone on with without reaching the end of another epoch."""

_COMMAND = "lensnet search"
_DRAWN = "drawn"
_STARTS = "starts"
REASON = "reason"
EXIT_CODE = "exit_code"


@dataclass(frozen=True)
class ClaimedTrial:
    """A trial that this process works on, and no other.

    Args:
        study: its study.
        number: its number, from 0.
        key: its key in the database.
        values: the value for each key.
    """

    study: SharedStudy
    number: int
    key: int
    values: dict[str, Any]

    def report(self, epoch: int, value: float) -> bool:
        """Notes the first objective after an epoch; returns whether the trial is to be stopped.

        What an earlier process of the trial has reported is not judged again.

        Args:
            epoch: counted from 1.
            value: may be NaN.
        """
        with translating():
            study = self.study.optuna_study
            if epoch in self.frozen.intermediate_values:
                return False
            self.study.storage.set_trial_intermediate_value(self.key, epoch, value)
            return study.pruner.prune(study, self.frozen)

    def note_start(self) -> int:
        """Notes that the trial is begun or gone on with; returns how often at the epoch it is at.

        A trial that ends its process each time, by taking all memory, must not do so for ever.
        """
        with translating():
            trial = self.frozen
            starts = [*trial.user_attrs.get(_STARTS, []), len(trial.intermediate_values)]
            self.study.storage.set_trial_user_attr(self.key, _STARTS, starts)
            return starts.count(starts[-1])

    def complete(self, values: Sequence[float]) -> None:
        """Notes what was measured."""
        self._tell(TrialState.COMPLETE, values)

    def prune(self) -> None:
        """Notes that the trial was stopped."""
        self._tell(TrialState.PRUNED)

    def fail(self, reason: str, exit_code: int) -> None:
        """Notes that nothing came of it, and why.

        Args:
            reason: in one line.
            exit_code: of the error.
        """
        with translating():
            self.study.storage.set_trial_user_attr(self.key, REASON, reason[:1500])
            self.study.storage.set_trial_user_attr(self.key, EXIT_CODE, exit_code)
        self._tell(TrialState.FAIL)

    def _tell(self, state: TrialState, values: Sequence[float] | None = None) -> None:
        with translating():
            self.study.optuna_study.tell(self.number, values, state=state)

    @property
    def frozen(self) -> FrozenTrial:
        """What the database has of it now."""
        return self.study.storage.get_trial(self.key)


class SharedStudy:
    """The trials of a search.

    Args:
        plan: the search.
        folder: its folder.

    Raises:
        LensnetError: the database cannot be reached.
        ConfigurationError: its URL is not one, or a package for it is missing, or it has a search
            of the same name that belongs to another folder.
    """

    def __init__(self, plan: SearchPlan, folder: SearchFolder):
        self.plan = plan
        self.folder = folder
        # Two processes at a time would make the tables twice.
        with hold(folder.path, _COMMAND, wait=True), translating():
            self.storage = _open_storage(plan, folder)
            self.optuna_study = optuna.create_study(
                study_name=plan.name,
                storage=self.storage,
                directions=[f"{direction}imize" for direction in plan.directions],
                pruner=make_pruner(plan),
                load_if_exists=True,
            )
            owner = self.optuna_study.user_attrs.get("folder")
            if owner is None:
                self.optuna_study.set_user_attr("folder", folder.id)
        if owner not in (None, folder.id):
            raise ConfigurationError(
                f'The database {plan.search.storage} has a search "{plan.name}" already, which '
                "belongs to another folder. Choose another name."
            )

    def trials(self) -> list[FrozenTrial]:
        """Returns all trials there are, by number."""
        with translating():
            return self.optuna_study.get_trials(deepcopy=False)

    @contextlib.contextmanager
    def claim_new(self) -> Iterator[ClaimedTrial | None]:
        """Draws a trial and holds it while the block runs; None where there are enough."""
        with contextlib.ExitStack() as held:
            claimed = None
            with hold(self.folder.path, _COMMAND, wait=True):
                number = len(self.trials())
                if number < self.plan.trials:
                    held.enter_context(hold(self.folder.claim(number), _COMMAND, wait=True))
                    claimed = self._draw(number, None)
            yield claimed

    @contextlib.contextmanager
    def claim_abandoned(self, number: int, *, at_once: bool) -> Iterator[ClaimedTrial | None]:
        """Holds a trial whose process has died while the block runs; None where it has not.

        Args:
            number: of the trial.
            at_once: do not wait to see whether a process on another machine is alive.
        """
        with contextlib.ExitStack() as held:
            is_held = False
            with contextlib.suppress(RunError):  # it is in use
                held.enter_context(hold(self.folder.claim(number), _COMMAND, at_once=at_once))
                is_held = True
            yield self._take_up(number) if is_held else None
        if is_held:
            # What holds it makes the folder, and a process that died has not removed it.
            with contextlib.suppress(OSError):
                self.folder.claim(number).rmdir()

    def _take_up(self, number: int) -> ClaimedTrial | None:
        """Returns a trial that has not ended, drawn to its end."""
        with translating():
            study_id = self.storage.get_study_id_from_name(self.plan.name)
            key = self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
            trial = self.storage.get_trial(key)
        if trial.state.is_finished():
            return None
        if trial.user_attrs.get(_DRAWN):
            return ClaimedTrial(self, number, key, self.plan.space.draw(reading(trial.params)))
        with hold(self.folder.path, _COMMAND, wait=True):
            return self._draw(number, key)

    def _draw(self, number: int, key: int | None) -> ClaimedTrial:
        """Draws the values of a new trial, or those that a kill has left out of one."""
        with translating():
            self.optuna_study.sampler = make_sampler(self.plan, number)
            trial = self.optuna_study.ask() if key is None else Trial(self.optuna_study, key)
            if trial.number != number:
                raise RunError(
                    f"Somebody else draws trials of {self.plan.name}: use `lensnet search` alone."
                )
            values = self.plan.space.draw(drawing(trial))
            trial.set_user_attr(_DRAWN, True)
        return ClaimedTrial(self, number, trial._trial_id, values)


def _open_storage(plan: SearchPlan, folder: SearchFolder) -> optuna.storages.RDBStorage:
    url = plan.search.storage or f"sqlite:///{folder.database_file.resolve()}"
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        # Another process may be writing.
        options["connect_args"] = {"timeout": 60}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise ConfigurationError(
            f"storage: the package for this database is not installed ({error}). For PostgreSQL: "
            "pip install 'lensnet[search]', and postgresql+psycopg://user@host/database."
        ) from None
    except sqlalchemy.exc.ArgumentError:
        raise ConfigurationError(
            "storage: is not the URL of a database, such as "
            "postgresql+psycopg://user@host/database."
        ) from None


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Words the errors of a database that cannot be reached.

    Raises:
        LensnetError: in their place.
    """
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = error.__cause__ or error
        reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
        raise DatabaseError(
            f"The database of the search cannot be used: {reason[:300]}. Trials that have begun "
            "are kept: mend it, and go on by the same command with --resume."
        ) from error


class DatabaseError(LensnetError):
    """The database of a search cannot be used. Exit code 1."""
