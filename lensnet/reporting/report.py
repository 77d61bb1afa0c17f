"""`report.html`: one file that holds a whole run and opens offline."""

from __future__ import annotations

import os
from pathlib import Path

from lensnet.reporting import content, facts
from lensnet.reporting.figure_captions import embed
from lensnet.reporting.learning_file import gain_table
from lensnet.reporting.page_output import replace_page
from lensnet.reporting.page_rendering import render_page
from lensnet.reporting.run_contents import RunContents, read_run_contents


def write_report(run_dir: str | os.PathLike[str]) -> Path:
    """Write `report.html` into a run folder, from what lies there.

    Read are `experiment.yaml`, `environment.json`, `history.csv`, `metrics.json`,
    `predictions.csv`, `figures/*.png`, `model.keras` (to count its weights) and, where they are
    there, `quarantine.csv` (file, reason) and `data.json`
    (``{"counts": {"train": {"class": 240}, ...}}``, the images of each class and split). The page
    says what is missing. Figures and style are inside it; it loads nothing from anywhere and runs
    no script; whatever names the data carry are shown as text.

    Args:
        run_dir: The run folder. An older report in it is replaced, at once and as a whole.

    Returns:
        The path of the report.

    Raises:
        RunError: There is no such folder, or it holds no `experiment.yaml`.
        OSError: The report cannot be written.

    Example:
        >>> import pathlib, tempfile
        >>> run = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (run / "experiment.yaml").write_text("{name: first-try, task: binary}")
        >>> write_report(run).name
        'report.html'
    """
    run = read_run_contents(run_dir)
    return replace_page(render(run), run.path / "report.html")


def render(run: RunContents) -> str:
    """Return the page of a run as HTML."""
    figures, figure_problems = embed(run.figures)
    return render_page(
        "report.html",
        title=content.title(run),
        elsewhere=run.trained.name if run.is_elsewhere and run.trained else None,
        chips=content.chips(run),
        problems=[*run.problems, *figure_problems],
        warnings=run.warnings,
        tiles=content.tiles(run),
        metric_rows=content.metric_rows(run),
        calibration=content.calibration_sentence(run),
        search_tables=content.search_tables(run),
        rotation_table=content.rotation_table(run),
        learned=run.learned,
        gain_table=gain_table(run.learned),
        figures=figures,
        data_facts=facts.data_facts(run),
        member_table=facts.member_table(run),
        class_table=facts.class_table(run),
        bad_files=run.bad_files,
        bad_file_reasons=facts.bad_file_reasons(run),
        listed_bad_files=content.LISTED_BAD_FILES,
        model_facts=facts.model_facts(run),
        training_facts=facts.training_facts(run),
        environment_facts=facts.environment_facts(run),
        experiment_text=run.experiment_text,
    )
