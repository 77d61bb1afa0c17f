"""What a search folder shows of its trials: a table, the best as an experiment file, and a page."""

from __future__ import annotations

from pathlib import Path

from lensnet import files
from lensnet.config.loading import to_yaml
from lensnet.csv_tables import writing_table
from lensnet.locking import hold
from lensnet.search.folder import SearchFolder
from lensnet.search.page import write_page
from lensnet.search.results import TrialResult, best_of, results_of
from lensnet.search.study import SharedStudy
from lensnet.search.wording import value_as_text

__all__ = ["write_results", "write_search_report"]


def write_search_report(search_dir: str | Path) -> Path:
    """Write `report.html`, `trials.csv` and `best.yaml` of a search again, from its database.

    Args:
        search_dir: The search folder; others may be searching in it.

    Returns:
        The path of the report.

    Raises:
        RunError: There is no such folder, or it is damaged.
        LensnetError: The database cannot be reached.
    """
    folder = SearchFolder.open(search_dir)
    write_results(SharedStudy(folder.read_plan(), folder))
    return folder.report_file


def write_results(study: SharedStudy, *, with_page: bool = True) -> None:
    """Writes what came of a search so far into its folder.

    Args:
        study: its trials.
        with_page: write the page too, which takes seconds.
    """
    plan, folder = study.plan, study.folder
    # Nobody is to replace this by what was known before.
    with hold(folder.path, "lensnet search", wait=True):
        results = results_of(study)
        _write_table(study, results)
        best = best_of(plan, results)
        if best is not None:
            _write_best(study, best)
        if with_page:
            write_page(study, results)


def _write_table(study: SharedStudy, results: list[TrialResult]) -> None:
    plan = study.plan
    keys = list(plan.space.parameters)
    columns = ["trial", "state", *plan.objectives, *keys, "epochs", "seconds", "reason"]
    with writing_table(study.folder.table_file, columns) as table:
        for result in results:
            measured = result.objectives or len(plan.objectives) * [None]
            tried = [
                value_as_text(result.values[key]) if key in result.values else None for key in keys
            ]
            seconds = None if result.seconds is None else round(result.seconds, 3)
            end = (len(result.course), seconds, result.reason or None)
            table.row([f"{result.number:04d}", result.state, *measured, *tried, *end])


def _write_best(study: SharedStudy, best: TrialResult) -> None:
    plan = study.plan
    experiment = plan.experiment(best.values, f"{plan.name}-best")
    measured = ", ".join(
        f"{name} {value:.6g}"
        for name, value in zip(plan.objectives, best.objectives or [], strict=True)
    )
    heading = f"# Trial {best.number:04d} of the search {plan.name}: {measured} (validation).\n"
    files.write_text(study.folder.best_file, heading + to_yaml(experiment))
