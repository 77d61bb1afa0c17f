"""The targets that were set for the small studies, and what has been measured against them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from results_tables import Measured
from small_reckoning import images_to_reach, missing_ratio

__all__ = ["TARGETS", "measured_targets"]

Rows = Mapping[str, Sequence[Measured]]
SYMMETRIC = ("c4", "d4")


def measured_targets(rows: Rows, results: Mapping[str, Any]) -> list[list[str]]:
    """Of each target the measure, the target and what was measured.

    Args:
        rows: those of each question that are measured.
        results: the contents of the result files, by question.
    """
    return [
        [words, target, reckoned(rows, results) or "not measured"]
        for words, target, reckoned in TARGETS
    ]


def _row(rows: Rows, table: str, network: str, width: str, images: str) -> Measured | None:
    wanted = {"network": network, "width": width, "images": images}
    for one in rows.get("symmetry", ()):
        if one.row.table_name == table and one.row.values == wanted:
            return one
    return None


def _pairs(rows: Rows, table: str, width: str, images: str) -> list[tuple[str, Measured, Measured]]:
    """Each symmetric network with the plain one that is shown rotated images."""
    plain = _row(rows, table, "augmented", width, images)
    found = ((name, _row(rows, table, name, width, images)) for name in SYMMETRIC)
    return [(name, one, plain) for name, one in found if one is not None and plain is not None]


def _ratio(table: str, width: str, metric: str) -> Callable[[Rows, Any], str]:
    def reckoned(rows: Rows, _: Any) -> str:
        return _joined(
            (name, missing_ratio(one.values(metric), plain.values(metric)), len(one.runs))
            for name, one, plain in _pairs(rows, table, width, "2400")
        )

    return reckoned


def _joined(found: Any) -> str:
    """Values by name, with the number of seeds."""
    return ", ".join(
        f"{name} {value:.2f} ({seeds} seed{'s' if seeds > 1 else ''})"
        for name, value, seeds in found
        if value is not None
    )


def _same_at(rows: Rows, _: Any) -> str:
    """The narrowest symmetric network as good as the plain one of width 1, by its share of cost."""
    found = []
    for table in ("model_i", "lens_finding"):
        wide = _row(rows, table, "augmented", "width-1", "2400")
        if wide is None:
            continue
        goal, cost = statistics.mean(wide.values("roc_auc")), wide.multiply_adds()
        for name in SYMMETRIC:
            narrow = [
                _row(rows, table, name, width, "2400") for width in ("width-0.25", "width-0.5")
            ]
            good = [
                one.multiply_adds()
                for one in narrow
                if one is not None and statistics.mean(one.values("roc_auc")) >= goal
            ]
            if any(narrow) and cost:
                share = f"{min(x for x in good if x) / cost:.2f}" if good else "not at width 0.5"
                found.append(f"{table} {name} {share}")
    return ", ".join(found)


def _images(rows: Rows, _: Any) -> str:
    """The images to the plain network's last validation AUC, over all that it has seen."""
    found = []
    for table in ("model_i", "lens_finding"):
        for name, one, plain in _pairs(rows, table, "width-0.5", "2400"):
            last = statistics.mean(run["curve"][-1][2] for run in plain.runs)
            total = plain.runs[0]["curve"][-1][0]
            reached = [images_to_reach(run["curve"], last) for run in one.runs]
            shares = [at[0] / total for at in reached if at is not None]
            if shares:
                of = f"{len(shares)} of {len(reached)} seeds"
                found.append(f"{table} {name} {statistics.median(shares):.2f} ({of})")
    return ", ".join(found)


def _rotation(rows: Rows, _: Any) -> str:
    """The largest at right angles, of networks that are symmetric or averaged."""
    kinds = {"c4", "d4", "c8", "rot4", "rot4-inputs", "averaged-d4", "d4-parameters"}
    values = [
        value
        for one in rows.get("symmetry", ())
        if one.row.values["network"] in kinds
        for value in one.rotation(True)
    ]
    return f"{max(values):.1g}" if values else ""


def _any_angle(rows: Rows, _: Any) -> str:
    found = []
    for table in ("model_i", "lens_finding"):
        for name, one, plain in _pairs(rows, table, "width-0.5", "2400"):
            ours, theirs = one.rotation(False), plain.rotation(False)
            if ours and theirs:
                ratio = statistics.mean(ours) / statistics.mean(theirs)
                found.append(f"{table} {name} {ratio:.2f}")
    return ", ".join(found)


def _committee(_: Rows, results: Mapping[str, Any]) -> str:
    rows = results.get("committees", {}).get("committees", [])
    key = "tpr_at_fpr_1e-3"
    single = [row[key][0] for row in rows if row["size"] == 1 and key in row]
    several = [(row[key][0], row) for row in rows if row["size"] > 1 and key in row]
    if not single or not several or not max(single):
        return ""
    best, row = max(several, key=lambda pair: pair[0])
    return f"{best / max(single):.2f} ({row['size']} networks, {row['kind']})"


def _digits(rows: Rows, _: Any) -> str:
    found = [
        f"{one.row.values['network']} {100 * (1 - statistics.mean(one.values('accuracy'))):.2f} %"
        for one in rows.get("rotated_mnist", ())
        if one.values("accuracy")
    ]
    return ", ".join(found)


def _best(rows: Rows, _: Any) -> str:
    values = [
        (statistics.mean(one.values("roc_auc", "model_i_original")), one.row.name)
        for question in ("symmetry", "architectures")
        for one in rows.get(question, ())
        if one.values("roc_auc", "model_i_original")
    ]
    return "{:.4f} ({})".format(*max(values)) if values else ""


TARGETS: tuple[tuple[str, str, Callable[[Rows, Any], str]], ...] = (
    (
        "Model I, 2,400 images, width 0.5: 1 - AUC over that of plain + augmentation",
        "at most 0.5",
        _ratio("model_i", "width-0.5", "roc_auc"),
    ),
    (
        "Lens finding, the same",
        "at most 0.75",
        _ratio("lens_finding", "width-0.5", "roc_auc"),
    ),
    (
        "Lens finding, lenses missed at FPR 1e-2 over those that plain + augmentation misses",
        "at most 0.75",
        _ratio("lens_finding", "width-0.5", "tpr_at_fpr_1e-2"),
    ),
    ("Multiply-adds with the AUC of plain at width 1, over its own", "at most 0.25", _same_at),
    ("Images to plain's final AUC at equal cost, over plain's", "at most 0.33", _images),
    (
        "Model I, 2,400 images, width 1: 1 - AUC over that of plain + augmentation",
        "below 1",
        _ratio("model_i", "width-1", "roc_auc"),
    ),
    ("TPR at FPR 1e-3 of the best committee over the best single kind", "at least 1.3", _committee),
    ("Largest rotation std at right angles of a symmetric network", "at most 1e-5", _rotation),
    ("Rotation std at any angle over that of plain + augmentation", "at most 0.5", _any_angle),
    ("Rotated MNIST, test error", "at most 1.76 %", _digits),
    ("Model I, AUC of the best on the original generator's images", "at least 0.98", _best),
)
"""What is measured, the target, and how it is reckoned; "" where it is not measured."""
