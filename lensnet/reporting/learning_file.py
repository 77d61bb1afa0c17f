"""What `learning.json` of a run folder says: what a round of `lensnet learn` has gained.

Run folders come from others: what is not of the right type is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lensnet.reporting.metric_guide import as_text, guide
from lensnet.reporting.metrics_file import is_number
from lensnet.reporting.tables import Table

__all__ = ["LearningFile", "gain_table", "parse_learning"]


@dataclass(frozen=True)
class LearningFile:
    """A round of learning.

    Attributes:
        before: the run folder that was learned on from.
        candidates: split to class to number of candidates.
        weights: what they count, in a sentence.
        gain: a mapping a metric and set of images.
        remarks: in sentences.
    """

    before: str = ""
    candidates: dict[str, dict[str, int]] = field(default_factory=dict)
    weights: str = ""
    gain: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def counts(self) -> str:
        """How many candidates of each class there are in each split, in words."""
        parts = (
            f"{split.replace('_', ' ')}: "
            + ", ".join(f"{count} {name}" for name, count in of_split.items())
            for split, of_split in self.candidates.items()
        )
        return "; ".join(parts)


def parse_learning(content: Mapping[str, Any]) -> LearningFile:
    """Returns what a file says, as far as it is of the right types."""
    candidates = content.get("candidates")
    rows = content.get("gain")
    remarks = content.get("remarks")
    return LearningFile(
        before=str(content.get("before") or ""),
        candidates={
            str(split): {str(name): int(n) for name, n in counts.items() if is_number(n)}
            for split, counts in (candidates.items() if isinstance(candidates, dict) else ())
            if isinstance(counts, dict)
        },
        weights=str(content.get("weights") or ""),
        gain=[row for row in (rows if isinstance(rows, list) else []) if _is_gain(row)],
        remarks=[str(remark) for remark in (remarks if isinstance(remarks, list) else [])],
    )


def gain_table(learned: LearningFile) -> Table | None:
    """Returns a row a metric and set of images; None where nothing was measured."""
    heads = ["Images", "Metric", "Before", "After", "Difference, 95 % interval", "p", "Test"]
    rows = [
        [
            f"{row['images']} ({row.get('examples', '–')})",
            guide(row["metric"]).name,
            as_text(row["metric"], row["before"]),
            as_text(row["metric"], row["after"]),
            _difference(row),
            "–" if not is_number(row.get("p_value")) else f"{row['p_value']:.2g}",
            str(row.get("test", "")),
        ]
        for row in learned.gain
    ]
    return Table(heads, rows) if rows else None


def _difference(row: Mapping[str, Any]) -> str:
    value = _signed(row["metric"], row["after"] - row["before"])
    low, high = row.get("low"), row.get("high")
    if not (is_number(low) and is_number(high)):
        return value
    return f"{value} ({_signed(row['metric'], low)} to {_signed(row['metric'], high)})"


def _signed(key: str, value: Any) -> str:
    text = as_text(key, abs(value))
    return f"−{text}" if value < 0 else f"+{text}"


def _is_gain(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and all(isinstance(row.get(key), str) for key in ("images", "metric"))
        and all(is_number(row.get(key)) for key in ("before", "after"))
    )
