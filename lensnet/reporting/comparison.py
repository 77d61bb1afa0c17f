"""Several runs beside each other: what each reaches and costs, and which differences are real."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lensnet.errors import ConfigurationError, RunError
from lensnet.evaluation.paired_tests import (
    Difference,
    accuracy_difference,
    auc_difference,
    error_difference,
    holm,
)
from lensnet.reporting.metric_guide import as_text, guide, in_order, interval_text, percent, whole
from lensnet.reporting.predictions_file import Predictions, read_predictions
from lensnet.reporting.run_contents import RunContents, read_run_contents
from lensnet.reporting.tables import Table

__all__ = ["Comparison", "ComparedRun", "PairedTest", "compare_runs"]


@dataclass(frozen=True)
class ComparedRun:
    """A run among others.

    Attributes:
        name: by which the page calls it: as short as tells it from the others.
        contents: of its folder.
        predictions: for its test images; None where there are none to compare.
        why_none: the reason.
    """

    name: str
    contents: RunContents
    predictions: Predictions | None
    why_none: str = ""

    @property
    def test(self) -> dict[str, float]:
        """The metrics of the test split."""
        return self.contents.metrics.get("test", {})

    @property
    def milliseconds(self) -> float | None:
        """For one image."""
        return self.contents.metrics.get("timing", {}).get("milliseconds_for_one_image")

    @property
    def images_per_second(self) -> float | None:
        """In batches."""
        return self.contents.metrics.get("timing", {}).get("images_per_second")

    @property
    def parameters(self) -> float | None:
        """As the model counts them, or else as its file does."""
        return self.contents.measured.cost.get("parameters", self.contents.parameters)

    @property
    def multiply_adds(self) -> float | None:
        """For one image."""
        return self.contents.measured.cost.get("multiply_adds")


@dataclass(frozen=True)
class PairedTest:
    """A run against the first, by one metric.

    Attributes:
        run: its name.
        metric: the key in `metrics.json`.
        test: what was done.
        value, low, high: the difference, this run less the first, and its 95 % interval.
        p_value: None where the two answer alike.
        corrected: the p-value, corrected for how many runs are tested by this metric.
    """

    run: str
    metric: str
    test: str
    value: float
    low: float
    high: float
    p_value: float | None
    corrected: float | None


@dataclass(frozen=True)
class Comparison:
    """Runs, and how they differ.

    Attributes:
        runs: in the order in which they were named; the others are tested against the first.
        metrics: keys of the test split that any of them has, `examples` last.
        tests: of each run that was measured on the same images as the first.
        unpaired: why a run was not tested, by its name.
    """

    runs: list[ComparedRun]
    metrics: list[str]
    tests: list[PairedTest]
    unpaired: dict[str, str]

    def metric_table(self) -> Table:
        """Returns a row a metric, a column a run, intervals below the values."""
        rows = []
        for key in self.metrics:
            cells = []
            for run in self.runs:
                ends = run.contents.measured.intervals.get("test", {}).get(key)
                interval = interval_text(key, ends)
                value = as_text(key, run.test.get(key))
                cells.append(f"{value}\n{interval}" if interval else value)
            better = {"higher": " ↑", "lower": " ↓"}.get(guide(key).better, "")
            rows.append([f"{guide(key).name}{better}", *cells])
        return Table(["", *(run.name for run in self.runs)], rows)

    def cost_table(self) -> Table:
        """Returns a row a run."""
        heads = ["", "Parameters", "Multiply-adds (M)", "One image (ms)", "Images a second"]
        rows = [
            [
                run.name,
                "–" if run.parameters is None else whole(run.parameters),
                "–" if run.multiply_adds is None else f"{run.multiply_adds / 1e6:,.4g}",
                "–" if run.milliseconds is None else f"{run.milliseconds:.3g}",
                "–" if run.images_per_second is None else f"{run.images_per_second:,.4g}",
            ]
            for run in self.runs
        ]
        return Table(heads, rows)

    def test_table(self) -> Table:
        """Returns a row a test."""
        heads = ["", "Metric", "Difference", "95 % interval", "p", "p, corrected", "Test"]
        rows = [
            [
                test.run,
                guide(test.metric).name,
                _signed(test.metric, test.value),
                f"{_signed(test.metric, test.low)} to {_signed(test.metric, test.high)}",
                _p_text(test.p_value),
                _p_text(test.corrected),
                test.test,
            ]
            for test in self.tests
        ]
        return Table(heads, rows)

    def rotation_table(self) -> Table | None:
        """Returns a row a run and set of rotations; None where none was measured."""
        rows = [
            [
                run.name,
                found.name,
                percent(found.spread),
                "–" if found.flips is None else percent(found.flips),
            ]
            for run in self.runs
            for found in run.contents.invariance
        ]
        return Table(["", "Images by", "Spread", "Change class"], rows) if rows else None

    def machines(self) -> list[str]:
        """Returns the machines on which the runs were made, as far as they tell."""
        told = (run.contents.environment for run in self.runs)
        found = {
            f"{environment['platform']}, {environment.get('cpu_count')} CPUs": None
            for environment in told
            if environment.get("platform")
        }
        return list(found)


def compare_runs(paths: Sequence[str | os.PathLike[str]]) -> Comparison:
    """Reads runs, and tests each against the first where both were measured on the same images.

    Args:
        paths: run folders, or folders of evaluations on other data; two or more, of one task.

    Raises:
        ConfigurationError: there are fewer than two, or one is named twice.
        RunError: one is not a run, or was not evaluated; or they differ in task.
    """
    folders = [Path(path) for path in paths]
    if len(folders) < 2:
        raise ConfigurationError("Name two runs or more to compare.")
    resolved = [folder.resolve() for folder in folders]
    if len(set(resolved)) < len(resolved):
        twice = next(path for path in resolved if resolved.count(path) > 1)
        raise ConfigurationError(f"{twice} is named twice: name different runs to compare.")
    contents = [read_run_contents(folder) for folder in folders]
    _check_comparable(contents)
    runs = [
        _compared(name, content)
        for name, content in zip(_short_names(resolved), contents, strict=True)
    ]
    keys = set[str]().union(*(run.test for run in runs)) - {"examples"}
    tests, unpaired = _tests(runs)
    return Comparison(runs, [*in_order(keys), "examples"], tests, unpaired)


def _check_comparable(contents: list[RunContents]) -> None:
    for content in contents:
        if not content.metrics.get("test"):
            raise RunError(
                f"{content.path} has no metrics of a test split: it was not evaluated yet. Do "
                f"`lensnet evaluate {content.path}`."
            )
    first = contents[0]
    for content in contents[1:]:
        if content.setting("task") != first.setting("task"):
            raise RunError(
                f"{first.path} is of the task {first.setting('task')}, and {content.path} of "
                f"{content.setting('task')}: their metrics mean different things."
            )


def _compared(name: str, content: RunContents) -> ComparedRun:
    try:
        return ComparedRun(name, content, read_predictions(content.path / "predictions.csv"))
    except RunError as error:
        return ComparedRun(name, content, None, str(error))


def _short_names(paths: list[Path]) -> list[str]:
    """As many of the last parts of each path as tell it from the others."""
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names


def _tests(runs: list[ComparedRun]) -> tuple[list[PairedTest], dict[str, str]]:
    first, unpaired = runs[0], {}
    of_metrics: dict[str, list[tuple[str, str, Difference]]] = {}
    for run in runs[1:]:
        ours, theirs = run.predictions, first.predictions
        if ours is None or theirs is None:
            unpaired[run.name] = run.why_none or first.why_none
        elif not ours.has_same_images(theirs):
            unpaired[run.name] = _how_they_differ(theirs, ours)
        else:
            for metric, test, found in _differences(theirs, ours):
                of_metrics.setdefault(metric, []).append((run.name, test, found))
    return _corrected(of_metrics), unpaired


def _how_they_differ(first: Predictions, other: Predictions) -> str:
    if first.classes != other.classes:
        return "its classes are others"
    shared = len(set(first.ids) & set(other.ids))
    return (
        f"its {len(other.ids)} test images are not the {len(first.ids)} of the first run "
        f"({shared} ids in common): no difference is tested"
    )


def _differences(first: Predictions, other: Predictions) -> list[tuple[str, str, Difference]]:
    labels = first.labels
    if not first.classes:
        found = error_difference(labels, first.outputs[:, 0], other.outputs[:, 0])
        return [] if found is None else [("mae", "t-test, paired", found)]
    pair = [
        answers.outputs[:, 1] if len(answers.classes) == 2 else answers.outputs
        for answers in (first, other)
    ]
    area = auc_difference(labels, *pair)
    return [
        *([] if area is None else [("roc_auc", "DeLong", area)]),
        ("accuracy", "McNemar, exact", accuracy_difference(labels, *pair)),
    ]


def _corrected(of_metrics: dict[str, list[tuple[str, str, Difference]]]) -> list[PairedTest]:
    tests = []
    for metric, found in of_metrics.items():
        corrected = holm([difference.p_value for _, _, difference in found])
        tests += [
            PairedTest(name, metric, test, d.value, d.low, d.high, d.p_value, p)
            for (name, test, d), p in zip(found, corrected, strict=True)
        ]
    return tests


def _signed(key: str, value: float) -> str:
    text = as_text(key, abs(value))
    return f"−{text}" if value < 0 else f"+{text}"


def _p_text(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"
