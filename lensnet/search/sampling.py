"""From a search to Optuna's samplers and pruners, and from its trials back to values of keys."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, Trial

from lensnet.config.search import SearchPlan
from lensnet.config.search.file import CmaEs, Hyperband, MedianRule, Nsga2, Tpe
from lensnet.config.search.space import Choice, Decide, Decision

__all__ = ["drawing", "make_pruner", "make_sampler", "reading"]


def make_sampler(plan: SearchPlan, number: int) -> optuna.samplers.BaseSampler:
    """Makes the sampler of one trial.

    What is drawn follows from the seed, the trial's number and the trials before it. With one seed
    for all trials of a process, two processes would draw the same.
    """
    sampler = plan.search.sampler
    if plan.points:
        return _GridPoint(plan.points[number])
    seed = zlib.crc32(f"{plan.search.seed} {number}".encode())
    if isinstance(sampler, Tpe):
        return optuna.samplers.TPESampler(n_startup_trials=sampler.startup_trials, seed=seed)
    if isinstance(sampler, CmaEs):
        return optuna.samplers.CmaEsSampler(
            n_startup_trials=sampler.startup_trials,
            popsize=sampler.population_size,
            warn_independent_sampling=False,
            seed=seed,
        )
    if isinstance(sampler, Nsga2):
        return optuna.samplers.NSGAIISampler(population_size=sampler.population_size, seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def make_pruner(plan: SearchPlan) -> optuna.pruners.BasePruner:
    """Makes what decides, after each epoch, whether a trial is stopped. Epochs count from 1."""
    pruner = plan.pruner
    if isinstance(pruner, MedianRule):
        return optuna.pruners.MedianPruner(
            n_startup_trials=pruner.startup_trials, n_warmup_steps=pruner.warmup_epochs + 1
        )
    if isinstance(pruner, Hyperband):
        return optuna.pruners.HyperbandPruner(
            min_resource=pruner.min_epochs,
            max_resource=max(plan.longest, pruner.min_epochs),
            reduction_factor=pruner.reduction_factor,
        )
    return optuna.pruners.NopPruner()


def drawing(trial: Trial) -> Decide:
    """Decides by what the sampler draws for a trial."""

    def decide(name: str, decision: Decision) -> Any:
        if isinstance(decision, Choice):
            return _from_database(decision, trial.suggest_categorical(name, decision.labels))
        drawn: float
        if decision.is_whole:
            drawn = trial.suggest_int(
                name,
                int(decision.low),
                int(decision.high),
                step=int(decision.step or 1),
                log=decision.log,
            )
        else:
            drawn = trial.suggest_float(
                name,
                float(decision.low),
                float(decision.high),
                step=None if decision.step is None else float(decision.step),
                log=decision.log,
            )
        return _from_database(decision, drawn)

    return decide


def reading(parameters: Mapping[str, Any]) -> Decide:
    """Decides by what was drawn for a trial before.

    Args:
        parameters: as the database has them.
    """
    return lambda name, decision: _from_database(decision, parameters[name])


def _from_database(decision: Decision, drawn: Any) -> Any:
    if isinstance(decision, Choice):
        return decision.choices[decision.labels.index(drawn)]
    if decision.is_whole:
        return int(drawn)
    # What is written into an experiment is read by people: 0.00123457, and 0.3 for 3 * 0.1.
    return float(f"{drawn:.{6 if decision.step is None else 12}g}")


class _GridPoint(optuna.samplers.BaseSampler):
    """Gives the values of one point.

    Optuna's own grid knows no conditions, and two processes may draw a point twice.

    Args:
        point: the decisions by name.
    """

    def __init__(self, point: Mapping[str, Any]):
        self.point = point

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        value = self.point[param_name]
        if isinstance(param_distribution, optuna.distributions.CategoricalDistribution):
            return _label_of(value, param_distribution.choices)
        return value


def _label_of(value: Any, labels: Sequence[Any]) -> Any:
    (label,) = Choice(choices=[value]).labels
    return labels[labels.index(label)]
