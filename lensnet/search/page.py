"""The page of a search: one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import optuna

from lensnet.config.loading import to_yaml
from lensnet.evaluation import style
from lensnet.output_files import check_page
from lensnet.reporting.embedded_figure import EmbeddedFigure, embed_figure
from lensnet.reporting.page_output import replace_page
from lensnet.reporting.page_rendering import render_page
from lensnet.search import figures
from lensnet.search.results import TrialResult, best_of, front_of
from lensnet.search.study import SharedStudy
from lensnet.search.wording import short_names, value_as_text

__all__ = ["render", "write_page"]


def write_page(study: SharedStudy, results: list[TrialResult]) -> None:
    """Write the page of a search, at once and as a whole.

    Raises:
        RunError: There is a file of that name that lensnet has not written.
    """
    target = study.folder.report_file
    check_page(target)
    replace_page(render(study, results), target)


def render(study: SharedStudy, results: list[TrialResult]) -> str:
    """Return the page as HTML."""
    plan = study.plan
    best = best_of(plan, results)
    names = short_names(plan.space.parameters)
    several = len(plan.objectives) > 1
    return render_page(
        "search.html",
        "lensnet.search",
        title=f"{plan.name}: the search",
        chips=_chips(study, results),
        warnings=_warnings(results),
        best=best,
        best_values=[] if best is None else _shown(best.values),
        best_text=(
            "" if best is None else to_yaml(plan.experiment(best.values, f"{plan.name}-best"))
        ),
        objectives=plan.objectives,
        front=sorted(r.number for r in front_of(plan, results)) if several else [],
        figures=_figures(study, results),
        keys=[(key, names[key]) for key in plan.space.parameters],
        results=results,
        text=value_as_text,
        zip=zip,
        search_text=plan.to_yaml(),
    )


def _shown(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, value_as_text(value)) for key, value in values.items()]


def _chips(study: SharedStudy, results: list[TrialResult]) -> list[tuple[str, str]]:
    plan = study.plan
    states = Counter(result.state for result in results)
    counted = ", ".join(f"{number} {state}" for state, number in states.items())
    return [
        ("experiment", str((plan.base.content or {}).get("name", plan.base.name))),
        ("objective", ", ".join(plan.objectives)),
        ("sampler", plan.search.sampler.name),
        ("pruner", plan.pruner.name),
        ("trials", f"{counted or 'none'} of {plan.trials}"),
    ]


def _warnings(results: list[TrialResult]) -> list[str]:
    found = []
    reasons = Counter(result.reason for result in results if result.state == "failed")
    for reason, number in reasons.most_common(3):
        found.append(f"{style.counted(number, 'trial')} failed: {reason}")
    running = sum(result.state == "running" for result in results)
    if running:
        found.append(f"{style.counted(running, 'trial')} had not ended when this was written.")
    return found


def _figures(study: SharedStudy, results: list[TrialResult]) -> list[EmbeddedFigure]:
    """Return the figures that there is something for."""
    plan = study.plan
    complete = [result for result in results if result.objectives is not None]
    found = []
    if complete:
        found.append(
            embed_figure(
                figures.history(plan, results),
                "History",
                "Each trial's value at its best epoch, and the best so far. Crosses: stopped "
                "trials, at their last epoch.",
            )
        )
    if len(complete) > 1 and len(plan.objectives) > 1:
        found.append(
            embed_figure(
                figures.front(plan, results, front_of(plan, results)),
                "Front",
                "Trials than which no other is better in every objective, by their number.",
            )
        )
    shares = _importances(study, complete)
    if shares:
        found.append(
            embed_figure(
                figures.importances(shares),
                "Importance",
                "How much the values of a parameter set the best trials apart from the others "
                f"(PED-ANOVA, Watanabe et al. 2023), by {plan.objectives[0]}, of complete trials. "
                "Of few trials it is a guess.",
            )
        )
    if any(len(result.course) > 1 for result in results):
        found.append(
            embed_figure(
                figures.course_of_trials(plan, results),
                "Course",
                "Blue: complete trials. Grey: stopped, failed or unfinished ones.",
            )
        )
    if len(complete) > 1:
        found.append(
            embed_figure(
                figures.parallel_coordinates(plan, results),
                "Parallel coordinates",
                "A line is a complete trial, in the colour of its value; a gap is a parameter "
                "that was not tried in it.",
            )
        )
    return found


def _importances(study: SharedStudy, complete: list[TrialResult]) -> dict[str, float]:
    """Returns the share of each parameter, {} where trials do not tell."""
    if len(complete) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shares = optuna.importance.get_param_importances(
                study.optuna_study, target=lambda trial: trial.values[0]
            )
        except (ValueError, RuntimeError, ZeroDivisionError):  # all values are equal, or too few
            return {}
    return {key: float(share) for key, share in shares.items() if share == share}
