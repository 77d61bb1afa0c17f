"""What `metrics.json` and `invariance.json` say, of whatever version, with what is odd left out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, TypeGuard

__all__ = ["MetricsFile", "RotationSet", "parse_invariance", "parse_metrics"]

Interval = tuple[float, float]

# Parts of the file that are not what was measured on a split.
_PARTS = ("undefined", "warnings", "intervals", "search", "calibration", "model")


@dataclass(frozen=True)
class MetricsFile:
    """The parts of `metrics.json`, empty where an earlier version did not write them.

    Attributes:
        metrics: split (and `timing`) to metric to value; only finite numbers are kept.
        undefined: split to metric to the reason why it has no value.
        intervals: split to metric to its 95 % interval.
        warnings: what must be said beside the metrics.
        search: what a search yields, see `lensnet.evaluation.search_yield.describe_search`.
        calibration: what was fitted to the validation split.
        cost: parameters and multiply-adds.
    """

    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    undefined: dict[str, dict[str, str]] = field(default_factory=dict)
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    search: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class RotationSet:
    """How answers changed under one set of rotations or reflections.

    Attributes:
        name: of the set.
        spread: `rotation_std`.
        flips: `rotation_flip_rate`; None for a regression.
        intervals: 95 % intervals of both, by those names.
        angles: degrees, (R,).
        changes: root mean square change at each, (R,).
        truth: accuracy or RMSE at each, (R,).
        is_regression: which of the two.
    """

    name: str
    spread: float
    flips: float | None
    intervals: dict[str, Interval]
    angles: list[float]
    changes: list[float]
    truth: list[float]
    is_regression: bool


def parse_metrics(content: dict[str, Any]) -> MetricsFile:
    """Sorts out what the JSON of `metrics.json` holds.

    Example:

    >>> parse_metrics({"test": {"accuracy": 0.5, "f1": None}}).metrics
    {'test': {'accuracy': 0.5}}
    """
    of_splits = {
        str(split): _numbers(values)
        for split, values in content.items()
        if isinstance(values, dict) and split not in _PARTS
    }
    warnings = content.get("warnings")
    return MetricsFile(
        metrics=of_splits,
        undefined={
            split: {str(name): str(reason) for name, reason in values.items()}
            for split, values in _mappings(content.get("undefined"))
        },
        intervals={
            split: _intervals(values) for split, values in _mappings(content.get("intervals"))
        },
        warnings=list(map(str, warnings)) if isinstance(warnings, list) else [],
        search=_search(content.get("search")),
        calibration=_calibration(content.get("calibration")),
        cost=_numbers(content.get("model")),
    )


def parse_invariance(content: dict[str, Any]) -> list[RotationSet]:
    """Sorts out what the JSON of `invariance.json` holds."""
    found = []
    for name, of_set in _mappings(content.get("sets")):
        spread = of_set.get("rotation_std")
        kind = "rmse" if "rmse" in of_set else "accuracy"
        columns = [_list(of_set.get(key)) for key in ("angles", "rms_change", kind)]
        if not is_number(spread) or len({len(column) for column in columns}) > 1 or not columns[0]:
            continue
        flips = of_set.get("rotation_flip_rate")
        found.append(
            RotationSet(
                name=name,
                spread=float(spread),
                flips=float(flips) if is_number(flips) else None,
                intervals=_intervals(of_set.get("intervals")),
                angles=columns[0],
                changes=columns[1],
                truth=columns[2],
                is_regression=kind == "rmse",
            )
        )
    return found


def is_number(value: Any) -> TypeGuard[float]:
    """Returns whether a value of a JSON file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, dict):
        return {}
    return {str(name): float(value) for name, value in values.items() if is_number(value)}


def _list(values: Any) -> list[float]:
    return [float(v) for v in values if is_number(v)] if isinstance(values, list) else []


def _mappings(content: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(content, dict):
        return []
    return [(str(key), value) for key, value in content.items() if isinstance(value, dict)]


def _intervals(values: Any) -> dict[str, Interval]:
    if not isinstance(values, dict):
        return {}
    pairs = ((str(name), _list(ends)) for name, ends in values.items())
    return {name: (ends[0], ends[1]) for name, ends in pairs if len(ends) == 2}


def _rows(content: Any, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = content if isinstance(content, list) else []
    return [
        row for row in rows if isinstance(row, dict) and all(is_number(row.get(k)) for k in needed)
    ]


def _search(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        return {}
    prevalence = content.get("prevalence")
    at = _rows(content.get("at_prevalence"), ("completeness", "purity", "inspected"))
    return {
        "top": _rows(content.get("top"), ("top", "found")),
        "inspected_per_found": _rows(
            content.get("inspected_per_found"), ("completeness", "inspected")
        ),
        "prevalence": float(prevalence) if is_number(prevalence) else None,
        "at_prevalence": [row for row in at if len(_list(row.get("interval"))) == 2],
    }


def _calibration(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict) or not is_number(content.get("temperature")):
        return {}
    before = _numbers(content.get("test_before"))
    return {"temperature": float(content["temperature"]), "before": before}
