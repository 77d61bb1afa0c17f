"""What a report says: the parts of a run folder turned into sentences, tiles and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lensnet.reporting.facts import size_of_ensemble
from lensnet.reporting.metric_guide import (
    as_text,
    guide,
    in_order,
    interval_in_percent,
    interval_text,
    percent,
    purity_texts,
)
from lensnet.reporting.run_contents import RunContents
from lensnet.reporting.tables import Table

# More bad files than this are counted but not listed one by one.
LISTED_BAD_FILES = 200


@dataclass(frozen=True)
class Tile:
    """A figure to be seen first, with a sentence that says what it means."""

    value: str
    label: str
    sentence: str
    missing: bool = False


@dataclass(frozen=True)
class MetricRow:
    """A metric on the validation and on the test split; why it is a dash, where it is one."""

    key: str
    name: str
    better: str
    validation: str
    test: str
    interval: str
    meaning: str
    dashes: list[str]


def title(run: RunContents) -> str:
    """Return the experiment's name, or the folder's where it has none."""
    return str(run.setting("name") or run.path.resolve().name)


def chips(run: RunContents) -> list[tuple[str, str]]:
    """Return what the run is, in a few words each."""
    facts = [
        ("task", run.setting("task")),
        *_network_chips(run),
        ("data", run.setting("data", "dataset")),
        ("date", f"{run.date.day} {run.date:%B %Y, %H:%M %Z}".strip() if run.date else None),
    ]
    return [(name, str(value)) for name, value in facts if value is not None]


def _network_chips(run: RunContents) -> list[tuple[str, Any]]:
    if run.setting("ensemble"):
        return [("ensemble", size_of_ensemble(run))]
    return [
        ("backbone", run.setting("model", "backbone")),
        ("symmetry", run.setting("model", "symmetry")),
    ]


def tiles(run: RunContents) -> list[Tile]:
    """Return the decisive test metrics of the task and the steadiness under rotation."""
    test = run.metrics.get("test", {})
    task = run.task
    keys = task.headline if task else [key for key in in_order(set(test)) if key != "examples"]
    found = []
    for key in keys[:3]:
        value = test.get(key)
        if value is None:
            found.append(Tile("–", guide(key).name, _why_missing(run, key), True))
        else:
            sentence = _sentence(key, value, run.positive)
            ends = run.measured.intervals.get("test", {}).get(key)
            if ends is not None:
                low, high = (_headline(key, end)[0].removesuffix(" %") for end in ends)
                sentence = f"{low} to {high} (95 % interval); {sentence}"
            found.append(Tile(*_headline(key, value), sentence))
    return [*found, _rotation_tile(run)]


def _why_missing(run: RunContents, key: str, otherwise: str = "it was not measured") -> str:
    return run.undefined.get("test", {}).get(key, otherwise)


def _headline(key: str, value: float) -> tuple[str, str]:
    if key in ("accuracy", "ece") or key.startswith("tpr"):
        return f"{100 * value:.1f} %", guide(key).name
    return as_text(key, value), guide(key).name


def _sentence(key: str, value: float, positive: str) -> str:
    return {
        "roc_auc": "0.5 is guessing, 1 is perfect ranking",
        "accuracy": "of test images given their true class",
        "ece": "average gap between stated probability and outcome",
        "tpr0": f"of {positive} found before the first false alarm",
        "tpr10": f"of {positive} found before the tenth false alarm",
        "rmse": "typical error, in the target's unit",
        "mae": "mean size of the error, in the target's unit",
        "r2": f"{100 * value:.1f} % of the target's variance is predicted",
    }.get(key, guide(key, positive).meaning)


def _rotation_tile(run: RunContents) -> Tile:
    test, task = run.metrics.get("test", {}), run.task
    spread = test.get("rotation_std")
    name = "Rotation"
    if spread is None:
        why = _why_missing(run, "rotation_std", "steadiness under rotation was not measured")
        return Tile("–", name, why, True)
    moved = percent(spread)
    sentence = task.rotation_sentence if task else "scores move by {percent} when the image rotates"
    flips = test.get("rotation_flip_rate")
    classes = ""
    if flips is not None:
        changing = f"{percent(flips)} of images change" if flips else "no image changes"
        classes = f"; {changing} class"
    return Tile(moved, name, sentence.format(percent=moved) + classes)


def metric_rows(run: RunContents) -> list[MetricRow]:
    """Return every metric of either split, in the guide's order."""
    validation, test = run.metrics.get("validation", {}), run.metrics.get("test", {})
    unsaid = set[str]().union(*run.undefined.values())
    return [
        MetricRow(
            key=key,
            name=guide(key).name,
            better=guide(key).better,
            validation=as_text(key, validation.get(key)),
            test=as_text(key, test.get(key)),
            interval=interval_text(key, run.measured.intervals.get("test", {}).get(key)),
            meaning=guide(key, run.positive).meaning,
            dashes=[
                f"No value on the {split} split: {reasons[key]}."
                for split, reasons in run.undefined.items()
                if key in reasons
            ],
        )
        for key in in_order(set(validation) | set(test) | unsaid)
    ]


def search_tables(run: RunContents) -> list[tuple[str, Table]]:
    """Return what a search yields, each table with the words above it."""
    search, tables = run.measured.search, []
    if search.get("top"):
        rows = [[f"{row['top']:,.0f}", f"{row['found']:g}"] for row in search["top"]]
        what = f"Of {run.positive} among the images with the highest scores of the test split"
        tables.append((what, Table(["Images inspected", "Found"], rows)))
    if search.get("inspected_per_found"):
        rows = [
            [f"{100 * row['completeness']:g} %", f"{row['inspected']:.2f}"]
            for row in search["inspected_per_found"]
        ]
        what = "Images of the test split to inspect, from the highest score on, for each one found"
        tables.append((what, Table(["Down to a completeness of", "Inspected for each"], rows)))
    if search.get("at_prevalence"):
        rows = [
            [
                f"{100 * row['completeness']:g} %",
                purity_texts(row)[0],
                " to ".join(percent(end) for end in row["interval"]),
                purity_texts(row)[1],
            ]
            for row in search["at_prevalence"]
        ]
        what = (
            f"Where a share of {search['prevalence']:g} of all objects is {run.positive}; the "
            "interval is that of the false-positive rate"
        )
        heads = ["Completeness", "Purity", "95 % interval", "Inspected for each one found"]
        tables.append((what, Table(heads, rows)))
    return tables


def rotation_table(run: RunContents) -> Table | None:
    """Return what `lensnet invariance` has measured."""
    if not run.invariance:
        return None
    rows = [
        [
            found.name,
            percent(found.spread),
            interval_in_percent(found.intervals.get("rotation_std")),
            "–" if found.flips is None else percent(found.flips),
            interval_in_percent(found.intervals.get("rotation_flip_rate")),
        ]
        for found in run.invariance
    ]
    return Table(["Images by", "Spread", "95 % interval", "Change class", "95 % interval"], rows)


def calibration_sentence(run: RunContents) -> str | None:
    """Return what the temperature has changed."""
    fitted = run.measured.calibration
    if not fitted:
        return None
    test, parts = run.metrics.get("test", {}), []
    for key in ("ece", "log_loss"):
        if key in fitted["before"] and key in test:
            before, after = as_text(key, fitted["before"][key]), as_text(key, test[key])
            parts.append(f"{guide(key).name.lower()} {before} before, {after} after")
    changed = f" On the test split: {'; '.join(parts)}." if parts else ""
    return (
        f"The logits are divided by {fitted['temperature']:.4g}, which was fitted to the "
        f"validation split (temperature scaling, Guo et al. 2017).{changed}"
    )
