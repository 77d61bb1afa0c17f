"""The tables of docs/results.md, from the result files of benchmarks/small_studies.py."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from small_reckoning import Spread, images_to_reach, paired_difference, spread
from small_study_files import Row, Study

__all__ = ["LEVELS", "Measured", "committee_table", "measured_rows", "paired_table", "row_table"]

Run = Mapping[str, Any]

LEVELS = (0.85, 0.9, 0.93)
"""The validation AUC to which the images seen are counted."""

COLUMNS: tuple[tuple[str, str, float, int], ...] = (
    ("accuracy", "accuracy (%)", 100, 2),
    ("roc_auc", "AUC", 1, 4),
    ("tpr0", "TPR0 (%)", 100, 1),
    ("tpr_at_fpr_1e-2", "TPR at FPR 1e-2 (%)", 100, 1),
    ("tpr_at_fpr_1e-3", "TPR at FPR 1e-3 (%)", 100, 1),
    ("mse", "MSE", 1, 5),
    ("mae", "MAE", 1, 4),
    ("r2", "R2", 1, 4),
    ("coverage_68", "within 1 sigma (%)", 100, 1),
)
"""Name of a metric, its head, the factor and the digits with which it is shown."""


@dataclass(frozen=True)
class Measured:
    """A row and its runs.

    Args:
        row: the row.
        runs: of each seed, what the result file holds.
    """

    row: Row
    runs: tuple[Run, ...]

    def values(self, metric: str, test: str | None = None) -> list[float]:
        """A metric of each seed, on the test that counts or another; those that have it."""
        name = test or self.row.table.judged_by
        found = (run["tests"].get(name, {}).get(metric) for run in self.runs)
        return [value for value in found if value is not None]

    def by_seed(self, metric: str) -> dict[int, float]:
        """The metric of each seed, on the test that counts."""
        name = self.row.table.judged_by
        return {
            run["seed"]: run["tests"][name][metric]
            for run in self.runs
            if run["tests"].get(name, {}).get(metric) is not None
        }

    def rotation(self, right: bool) -> list[float]:
        """The rotation std of each seed, at right angles or at others too."""
        return [
            value
            for run in self.runs
            for name, value in run["rotation_std"].items()
            if (name == "right angles") == right
        ]

    def multiply_adds(self) -> int | None:
        """Of one image, alike for all seeds."""
        return next((run["multiply_adds"] for run in self.runs if run["multiply_adds"]), None)


def measured_rows(study: Study, results: Mapping[str, Any]) -> list[Measured]:
    """The rows of which at least one seed is measured, in the study's order."""
    runs = results.get("runs", [])
    found = []
    for row in study.rows():
        of_row = sorted((r for r in runs if r["row"] == row.name), key=lambda run: run["seed"])
        if of_row:
            found.append(Measured(row, tuple(of_row)))
    return found


def row_table(rows: Sequence[Measured]) -> list[str]:
    """A table of rows of one kind: what was measured, as mean and spread over the seeds."""
    columns: list[tuple[str, Callable[[Measured], str]]] = [
        (axis, lambda one, axis=axis: one.row.values.get(axis, ""))  # type: ignore[misc]
        for axis in dict.fromkeys(axis for one in rows for axis in one.row.values)
    ]
    columns += [
        ("seeds", lambda one: str(len(one.runs))),
        ("multiply-adds (M)", lambda one: _millions(one.multiply_adds())),
        ("parameters (k)", lambda one: _thousands(one.runs[0]["parameters"])),
    ]
    for metric, head, factor, digits in COLUMNS:
        columns.append((head, _metric(metric, factor, digits)))
    for test in _other_tests(rows):
        columns.append((f"AUC, `{test}`", _metric("roc_auc", 1, 4, test)))
    columns += [
        ("rotation std, right angles", lambda one: _small(one.rotation(True))),
        ("at any angle", lambda one: _small(one.rotation(False))),
        *((f"images to AUC {level:g}", _reaching(level, 0)) for level in LEVELS),
        *((f"seconds to AUC {level:g}", _reaching(level, 1)) for level in LEVELS),
        ("real lenses recovered (%)", _recovered("lensed_galaxies")),
        ("real quasars recovered (%)", _recovered("lensed_quasars")),
    ]
    cells = [[text(one) for _, text in columns] for one in rows]
    kept = [at for at in range(len(columns)) if any(line[at] for line in cells)]
    return markdown([columns[at][0] for at in kept], [[line[at] for at in kept] for line in cells])


def paired_table(rows: Sequence[Measured], axis: str, reference: str, metric: str) -> list[str]:
    """By how much a change moves a metric, over the seeds that both rows have.

    Args:
        rows: measured.
        axis: whose values are the changes.
        reference: the value that changes nothing.
        metric: a share, shown in percent.
    """
    lines = []
    for one in rows:
        others = {**one.row.values, axis: reference}
        same = [other for other in rows if other.row.values == others]
        if one.row.values[axis] == reference or not same:
            continue
        found = paired_difference(one.by_seed(metric), same[0].by_seed(metric))
        if found is not None:
            mean, low, high = (f"{100 * value:+.2f}" for value in found)
            shared = len(set(one.by_seed(metric)) & set(same[0].by_seed(metric)))
            lines.append([*one.row.values.values(), str(shared), mean, f"{low} to {high}"])
    if not lines:
        return []
    heads = [*rows[0].row.values, "paired seeds", f"change of {metric} (%)", "95 % interval"]
    return markdown(heads, lines)


def committee_table(committees: Sequence[Mapping[str, Any]]) -> list[str]:
    """What committees reach, as mean and spread over the committees of a kind."""
    metrics = [key for key in committees[0] if key not in ("size", "kind", "committees")]
    lines = [
        [
            str(row["size"]),
            row["kind"],
            str(row["committees"]),
            *(_plus_minus(*row[key], factor=1, digits=4) if key in row else "" for key in metrics),
        ]
        for row in committees
    ]
    return markdown(["networks", "kind", "committees", *metrics], lines)


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return ["", *(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)), ""]


def shown(values: Sequence[float], factor: float, digits: int) -> str:
    """Mean and spread of values; the spread is left out of a single one.

    >>> shown([0.90, 0.92, 0.94], 100, 1), shown([0.9], 1, 2), shown([], 1, 2)
    ('92.0 ± 2.0', '0.90', '')
    """
    found = spread(values)
    if found is None:
        return ""
    return _plus_minus(found.mean, found.deviation, factor=factor, digits=digits)


def _plus_minus(mean: float, deviation: float | None, *, factor: float, digits: int) -> str:
    text = f"{factor * mean:.{digits}f}"
    return text if deviation is None else f"{text} ± {factor * deviation:.{digits}f}"


def _metric(
    metric: str, factor: float, digits: int, test: str | None = None
) -> Callable[[Measured], str]:
    return lambda one: shown(one.values(metric, test), factor, digits)


def _other_tests(rows: Sequence[Measured]) -> list[str]:
    """The tests that do not count, in order; the run's own split is too small to be shown."""
    named = (test for one in rows for test in one.row.table.tests)
    return [name for name in dict.fromkeys(named) if name != rows[0].row.table.judged_by]


def _small(values: Sequence[float]) -> str:
    found: Spread | None = spread(values)
    return "" if found is None else f"{found.mean:.2g}"


def _reaching(level: float, which: int) -> Callable[[Measured], str]:
    """The images (0) or seconds (1) to a validation AUC: the median of those that reach it."""

    def text(one: Measured) -> str:
        curves = [run["curve"] for run in one.runs if run.get("curve")]
        reached = [found for curve in curves if (found := images_to_reach(curve, level))]
        if not curves:
            return ""
        if not reached:
            return "never"
        middle = statistics.median(found[which] for found in reached)
        share = "" if len(reached) == len(curves) else f" ({len(reached)} of {len(curves)})"
        return f"{middle:,.0f}{share}"

    return text


def _recovered(folder: str) -> Callable[[Measured], str]:
    def text(one: Measured) -> str:
        found = [run["recovered"][folder]["share"] for run in one.runs if "recovered" in run]
        return shown([share for share in found if share is not None], 100, 1)

    return text


def _millions(value: int | None) -> str:
    return "" if value is None else f"{value / 1e6:.1f}"


def _thousands(value: int | None) -> str:
    return "" if value is None else f"{value / 1e3:.0f}"
