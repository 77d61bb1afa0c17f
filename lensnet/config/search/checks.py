"""What is wrong with a search: its values by themselves, and what does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from lensnet.config.documents import Document
from lensnet.config.loading import validate
from lensnet.config.search.file import COSTS, CmaEs, Grid, NoPruner
from lensnet.config.search.plan import SearchPlan, with_values
from lensnet.config.search.space import Decision, Range, SearchSpace, alternatives, picking
from lensnet.errors import ConfigurationError, DataError, did_you_mean

__all__ = ["MOST_POINTS", "probe", "problems_of"]

MOST_POINTS = 100_000
"""Of a grid."""


def probe(document: Document, base: Document, space: SearchSpace, check_source: bool) -> list[str]:
    """Lists what is wrong with values whatever the other parameters are.

    A warm-up of 20 epochs is too long for a training of 10, which another value of another
    parameter may mend: such a trial fails when it comes up. What is wrong both with the first and
    with the last value of all others is refused.
    """
    found = _common(document, base, space, {}, check_source)
    for name, decision in space.decisions().items():
        for value in decision.ends():
            forced = {**_conditions_of(space, _key_of(space, name)), name: value}
            found += _common(document, base, space, forced, False)
    return found


def _key_of(space: SearchSpace, name: str) -> str:
    return name if name in space.parameters else name.rpartition(".")[0]


def _conditions_of(space: SearchSpace, key: str) -> dict[str, Any]:
    """Returns values of other parameters with which this one is tried."""
    forced: dict[str, Any] = {}
    for other, wanted in space.parameters[key].when.items():
        forced[other] = alternatives(space.parameters[other], wanted)[0]
        forced |= _conditions_of(space, other)
    return forced


def _common(
    document: Document,
    base: Document,
    space: SearchSpace,
    forced: Mapping[str, Any],
    check_source: bool,
) -> list[str]:
    """Returns what is said of an experiment both with the first and with the last values."""
    said: list[list[str]] = []
    for pick in (0, -1):
        asked: set[str] = set()

        def decide(name: str, decision: Decision, pick: int = pick, asked: set[str] = asked) -> Any:
            asked.add(name)
            return picking(pick, forced)(name, decision)

        values = space.draw(decide)
        if not forced.keys() <= asked:
            continue  # an item of an empty list
        origins = {key: _place_of_value(document, key, values[key]) for key in values}
        trial = with_values(base, values, origins)
        trial.override(("name",), "probe", "the search")
        try:
            validate(trial, check_source=check_source)
            said.append([])
        except DataError:
            raise
        except ConfigurationError as error:
            said.append(str(error).splitlines())
    return [line for line in said[0] if line in said[-1]] if said else []


def _place_of_value(document: Document, key: str, value: Any) -> str:
    """Returns where a value is written: a choice has a line of its own."""
    at = ("parameters", key)
    written = document.content["parameters"][key]
    choices = written.get("choices") if isinstance(written, dict) else written
    if isinstance(choices, list) and value in choices:
        item = choices.index(value)
        return document.place((*at, item) if choices is written else (*at, "choices", item))
    for end in ("low", "high"):
        if isinstance(written, dict) and written.get(end) == value:
            return document.place((*at, end))
    return document.place(at)


def problems_of(plan: SearchPlan) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields what does not go together in a search whose parameters are possible."""
    search, experiment = plan.search, plan.typical
    monitors = tuple(experiment.task_spec.monitors)
    for name in search.objective:
        if name not in (*monitors, *COSTS):
            allowed = (*monitors, *COSTS)
            yield (
                ("objective",),
                f'task {experiment.task} has no "{name}".{did_you_mean(name, allowed)} Allowed: '
                f"{', '.join(allowed)}",
            )
    if not set(search.objective) - set(COSTS):
        yield ("objective",), f"one must be measured in training: {', '.join(monitors)}"
    if experiment.training.strategy == "multi_worker":
        yield (
            ("experiment", "training", "strategy"),
            "each process of a search trains its own trials: use auto, one_device or mirrored, "
            "and start the search on as many machines as there are",
        )
    for key in ("seeds", "folds"):
        if getattr(experiment.training, key) is not None:
            yield (
                ("experiment", "training", key),
                "a trial is one run: search with one of them, and fit best.yaml with all",
            )
    if len(search.objective) > 1:
        if isinstance(search.sampler, CmaEs):
            yield ("sampler",), "cma_es knows one objective: use nsga2, tpe, random or grid"
        if search.pruner is not None and not isinstance(search.pruner, NoPruner):
            yield ("pruner",), f"{search.pruner.name} knows one objective: leave it out"
    yield from _sampler_problems(plan)


def _sampler_problems(plan: SearchPlan) -> Iterator[tuple[tuple[str, ...], str]]:
    search, space = plan.search, plan.space
    if isinstance(search.sampler, CmaEs):
        ranges = [p for p in space.parameters.values() if isinstance(p, Range) and not p.when]
        if len(ranges) < 2:
            yield (
                ("sampler",),
                "cma_es needs two ranges or more that have no condition; choices and lists are "
                "drawn at random beside them. Use tpe",
            )
    if not isinstance(search.sampler, Grid):
        return
    endless = [name for name, decision in space.decisions().items() if decision.points() is None]
    for name in endless:
        yield (
            ("parameters", _key_of(space, name)),
            "a grid needs choices, whole numbers or a step, and no logarithm",
        )
    if endless:
        return
    count = sum(1 for _ in islice(space.points(), MOST_POINTS + 1))
    if count > MOST_POINTS:
        yield ("sampler",), f"the grid has more than {MOST_POINTS:,} points"
    elif search.trials is not None and search.trials > count:
        yield ("trials",), f"the grid has {count} points; leave trials out to try each once"
