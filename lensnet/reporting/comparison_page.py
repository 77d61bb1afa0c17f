"""The pages that hold several runs: of `lensnet compare`, and of `lensnet invariance`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lensnet.evaluation.comparison_figures import (
    Point,
    learning_curves,
    metric_against_cost,
    metrics_of_runs,
)
from lensnet.evaluation.rotation_figures import rotation_comparison
from lensnet.reporting.comparison import ComparedRun, Comparison
from lensnet.reporting.embedded_figure import EmbeddedFigure, embed_figure, embed_png
from lensnet.reporting.metric_guide import guide, percent, whole
from lensnet.reporting.metrics_file import RotationSet
from lensnet.reporting.page_of_parts import Part, render_parts
from lensnet.reporting.page_output import write_page
from lensnet.reporting.run_contents import RunContents, read_run_contents
from lensnet.reporting.tables import Table

__all__ = ["write_comparison_page", "write_invariance_page"]

# A page that shows more draws what nobody reads.
_MOST_METRICS = 6


def write_comparison_page(comparison: Comparison, path: str | os.PathLike[str]) -> Path:
    """Writes the page of `lensnet compare`: one file that opens offline.

    Args:
        comparison: what is compared.
        path: the HTML file.

    Raises:
        RunError: something else than a page of lensnet's bears the name.
        ConfigurationError: nothing can be written there.
    """
    runs = comparison.runs
    parts = [
        Part(
            "Metrics",
            comparison.metric_table(),
            "Of the test split, with 95 % intervals by the bootstrap where a run has them. "
            "↑ higher is better, ↓ lower is better. That two intervals overlap does not say that "
            "two runs are equal: see the differences.",
            _metric_figures(comparison),
            "values",
        ),
        Part(
            f"Differences from {runs[0].name}",
            comparison.test_table() if comparison.tests else None,
            _note_on_tests(comparison),
        ),
        Part("Cost", comparison.cost_table(), _note_on_cost(comparison), _cost_figures(comparison)),
    ]
    rotations = comparison.rotation_table()
    if rotations is not None:
        figures = _rotation_figures([(run.name, run.contents) for run in runs])
        parts.append(Part("Rotations and reflections", rotations, "", figures))
    histories = {run.name: run.contents.history for run in runs if run.contents.history}
    if histories:
        parts.append(Part("Learning curves", figures=_learning_figures(histories)))
    title = f"{len(runs)} runs compared"
    chips = [("task", str(runs[0].contents.setting("task"))), *_chips(runs)]
    return write_page(render_parts(title, chips, parts), Path(path))


def write_invariance_page(
    run_dirs: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]
) -> Path:
    """Writes the page of `lensnet invariance` on one run or several, side by side.

    Args:
        run_dirs: run folders in which it was measured.
        path: the HTML file.

    Raises:
        RunError: something else than a page of lensnet's bears the name.
        ConfigurationError: nothing can be written there.
    """
    runs = [(Path(run).name, read_run_contents(run)) for run in run_dirs]
    rows = [
        [
            name,
            found.name,
            percent(found.spread),
            "–" if found.flips is None else percent(found.flips),
        ]
        for name, contents in runs
        for found in contents.invariance
    ]
    table = Table(["", "Images by", "Spread", "Change class"], rows)
    note = (
        "Spread: standard deviation of the score over what is done to an image, averaged over "
        "images (of a regression, in units of the target's). The sky has no preferred orientation."
    )
    parts = [Part("Rotations and reflections", table, note, _rotation_figures(runs))]
    for name, contents in runs:
        worst = [found for found in contents.figures if found.stem.startswith("rotation_worst")]
        newest = sorted(worst, key=lambda path: path.stat().st_mtime)[-1:]
        figures = tuple(
            embed_png(
                found.read_bytes(),
                "Images that change most",
                "With the answer at each angle; in colour where the class is another than that of "
                "the unrotated image.",
            )
            for found in newest
        )
        parts.append(Part(f"{name}: images that change most", figures=figures))
    title = "Invariance of one run" if len(runs) == 1 else f"Invariance of {len(runs)} runs"
    return write_page(render_parts(title, [], parts), Path(path))


def _chips(runs: list[ComparedRun]) -> list[tuple[str, str]]:
    sets = dict.fromkeys(str(run.contents.setting("data", "dataset")) for run in runs)
    return [("data", ", ".join(sets)), ("test images", _images(runs))]


def _images(runs: list[ComparedRun]) -> str:
    numbers = dict.fromkeys(round(run.test.get("examples", 0)) for run in runs)
    return ", ".join(map(whole, numbers))


def _point(run: ComparedRun, key: str) -> Point:
    return Point(run.test[key], run.contents.measured.intervals.get("test", {}).get(key))


def _metric_figures(comparison: Comparison) -> tuple[EmbeddedFigure, ...]:
    runs = comparison.runs
    task = runs[0].contents.task
    headline = list(task.headline) if task else []
    keys = [*headline, *(key for key in comparison.metrics if key not in headline)]
    drawn = {
        guide(key).name: {run.name: _point(run, key) for run in runs if key in run.test}
        for key in keys
        if key != "examples" and any(key in run.test for run in runs)
    }
    drawn = dict(list(drawn.items())[:_MOST_METRICS])
    if not drawn:
        return ()
    figure = metrics_of_runs(drawn, f"{_images(runs)} images")
    caption = "The metrics by which the task is judged, and their 95 % intervals."
    return (embed_figure(figure, "Metrics", caption),)


def _cost_figures(comparison: Comparison) -> tuple[EmbeddedFigure, ...]:
    runs = comparison.runs
    first = runs[0].contents.task
    wanted = ["accuracy", *(first.headline if first else ())]
    key = next((key for key in wanted if any(key in run.test for run in runs)), None)
    costs = {
        "Time for one image (ms)": {run.name: run.milliseconds for run in runs if run.milliseconds},
        "Multiply-adds (millions an image)": {
            run.name: run.multiply_adds / 1e6 for run in runs if run.multiply_adds
        },
    }
    costs = {name: of_runs for name, of_runs in costs.items() if of_runs}
    if key is None or not costs:
        return ()
    metric = {run.name: _point(run, key) for run in runs if key in run.test}
    name = guide(key).name
    figure = metric_against_cost(name, metric, costs, f"{_images(runs)} images")
    caption = f"{name} on the test split against what one image costs."
    return (embed_figure(figure, f"{name} against cost", caption),)


def _rotation_figures(runs: list[tuple[str, RunContents]]) -> tuple[EmbeddedFigure, ...]:
    finest = {name: _finest(contents.invariance) for name, contents in runs}
    known = {name: found for name, found in finest.items() if found is not None}
    kinds = {found.is_regression for found in known.values()}
    if len(kinds) != 1:
        return ()
    curves = {name: (found.angles, found.changes, found.truth) for name, found in known.items()}
    images = [round(contents.metrics.get("test", {}).get("examples", 0)) for _, contents in runs]
    figure = rotation_comparison(curves, regression=kinds.pop(), images=max(images))
    caption = (
        "Root mean square change of the answers against those to the unrotated images, and how "
        "right they are, at each angle."
    )
    return (embed_figure(figure, "Spread and accuracy at each angle", caption),)


def _finest(sets: list[RotationSet]) -> RotationSet | None:
    """The set of rotations with the most angles."""
    rotations = [found for found in sets if found.name != "mirrors"]
    return max(rotations, key=lambda found: len(found.angles), default=None)


def _learning_figures(histories: dict[str, list[dict[str, str]]]) -> tuple[EmbeddedFigure, ...]:
    try:
        figure = learning_curves(histories)
    except ValueError:
        return ()
    caption = "What each run measured on its validation split after each epoch."
    return (embed_figure(figure, "Learning curves", caption),)


def _note_on_tests(comparison: Comparison) -> str:
    notes = []
    if comparison.tests:
        notes.append(
            "On the same test images, each run less the first. p: how often chance alone makes a "
            "difference as large; corrected (Holm) for how many runs are tested by the metric. It "
            "is of these networks: another seed makes another network."
        )
    notes += [f"{name} is not tested: {why}." for name, why in comparison.unpaired.items()]
    return " ".join(notes)


def _note_on_cost(comparison: Comparison) -> str:
    machines = comparison.machines()
    where = ""
    if len(machines) == 1:
        where = f" The runs were made on {machines[0]}."
    elif machines:
        where = (
            f" The runs were made on different machines ({'; '.join(machines)}): times cannot be "
            "compared."
        )
    return (
        "Times are those of the saved model, in batches of 64 for images a second, as lensnet fit "
        f"or lensnet evaluate last measured them.{where} A dash: not measured; lensnet evaluate "
        "does."
    )
