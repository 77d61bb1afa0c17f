"""What a report says: the parts of a run folder turned into sentences, tiles and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensnet.reporting.metric_guide import (
    as_text,
    duration,
    guide,
    in_order,
    interval_in_percent,
    interval_text,
    percent,
    whole,
)
from lensnet.reporting.run_contents import RunContents

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


@dataclass(frozen=True)
class Table:
    """Column heads and rows of cells; the first cell of a row names it."""

    heads: list[str]
    rows: list[list[str]]


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


def _size_of_ensemble(run: RunContents) -> str:
    members = run.setting("ensemble", "members")
    weights = [m.get("weight") for m in members if isinstance(m, dict)] if members else []
    count = sum(map(bool, weights))
    return f"{count} network{'' if count == 1 else 's'}"


def _network_chips(run: RunContents) -> list[tuple[str, Any]]:
    if run.setting("ensemble"):
        return [("ensemble", _size_of_ensemble(run))]
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
                percent(row["purity"]),
                " to ".join(percent(end) for end in row["interval"]),
                f"{row['inspected']:,.1f}",
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


def data_facts(run: RunContents) -> list[tuple[str, str]]:
    """Return what the images are and how they were prepared."""
    facts = [
        ("Data set", run.setting("data", "dataset")),
        ("Source folder", run.setting("data", "source_dir")),
        ("Options", run.setting("data", "options")),
        ("Image size", _pixels(run.setting("data", "image_size"))),
        ("Normalisation", run.setting("data", "normalization")),
        ("Augmentation", run.setting("data", "augmentation")),
        ("Balance", run.setting("data", "balance")),
        ("Splits", run.setting("data", "splits")),
    ]
    if run.test_targets:
        low, middle, high = np.percentile(run.test_targets, [0, 50, 100])
        facts.append(("Test targets", f"{low:.5g} to {high:.5g}, median {middle:.5g}"))
    return _stated(facts)


def class_table(run: RunContents) -> Table | None:
    """Return the number of images of each class and split, as far as the run tells."""
    counts = {split: dict(classes) for split, classes in run.class_counts.items()}
    if "test" not in counts and run.test_labels:
        counts["test"] = run.test_labels
    splits: list[str] = [s for s in ("train", "validation", "test") if s in counts]
    splits += [split for split in counts if split not in splits]
    names = list(dict.fromkeys(name for split in splits for name in counts[split]))
    rows = [[name or "images", *(whole(counts[s].get(name, 0)) for s in splits)] for name in names]
    if len(names) > 1:
        rows.append(["all", *(whole(sum(counts[split].values())) for split in splits)])
    if not rows:
        sizes = {split: values.get("examples") for split, values in run.metrics.items()}
        splits = [split for split, size in sizes.items() if size is not None]
        rows = [["images", *(whole(sizes[split] or 0) for split in splits)]] if splits else []
    fresh = {"train": "train (new every epoch)"} if run.setting("data", "fresh") else {}
    return Table(["", *(fresh.get(split, split) for split in splits)], rows) if rows else None


def bad_file_reasons(run: RunContents) -> list[tuple[str, int]]:
    """Return the reasons of bad files with their number, the most common first."""
    return Counter(reason for _, reason in run.bad_files or []).most_common()


def member_table(run: RunContents) -> Table | None:
    """Return what each run of an ensemble counts and reaches on the validation split."""
    if not run.ensemble:
        return None
    found = set[str]().union(*(row["validation"] for row in run.ensemble)) - {"examples"}
    keys = in_order(found)
    rows = [
        [
            row["name"],
            "" if row["weight"] is None else f"{row['weight']:.3f}",
            *(as_text(key, row["validation"].get(key)) for key in keys),
        ]
        for row in run.ensemble
    ]
    return Table(["", "weight", *(guide(key).name for key in keys)], rows)


def model_facts(run: RunContents) -> list[tuple[str, str]]:
    """Return what the network is, and its cost; of an ensemble, what it is made of."""
    timing = run.metrics.get("timing", {})
    parameters = None
    if run.parameters is not None:
        parameters = f"{whole(run.parameters)} (batch statistics included)"
    if run.setting("ensemble"):
        return _stated(
            [
                ("Ensemble of", _size_of_ensemble(run)),
                ("Mean of", run.setting("ensemble", "combine") if run.class_names else "targets"),
                ("Weights", run.setting("ensemble", "weights")),
                ("Selected by", run.setting("ensemble", "select")),
                ("Parameters", parameters),
            ]
        )
    return _stated(
        [
            ("Backbone", run.setting("model", "backbone")),
            ("Symmetry", run.setting("model", "symmetry")),
            ("Width", run.setting("model", "width")),
            ("Head", run.setting("model", "head")),
            ("Start weights", run.setting("model", "weights")),
            ("Parameters", parameters),
            ("Multiply-adds", _giga(run.measured.cost.get("multiply_adds"))),
            ("Latency", _stated_number(timing.get("milliseconds_for_one_image"), "ms an image")),
            ("Throughput", _stated_number(timing.get("images_per_second"), "images a second")),
        ]
    )


def training_facts(run: RunContents) -> list[tuple[str, str]]:
    """Return how it was fitted and how long that took; nothing of an ensemble."""
    if run.setting("ensemble"):
        return []
    timing = run.metrics.get("timing", {})
    seconds, speed = timing.get("seconds"), timing.get("train_images_per_second")
    planned = run.setting("training", "epochs")
    epochs = f"{len(run.history)} of {planned} planned" if planned else f"{len(run.history)}"
    return _stated(
        [
            ("Epochs", epochs if run.history else None),
            ("Best epoch", _best_epoch(run)),
            ("Time", duration(seconds) if seconds is not None else None),
            ("Speed", f"{whole(speed)} training images a second" if speed else None),
            ("Optimizer", run.setting("training", "optimizer")),
            ("Schedule", run.setting("training", "schedule")),
            ("Loss", run.setting("training", "loss")),
            ("Batch size", run.setting("training", "batch_size")),
            ("Precision", run.setting("training", "precision")),
            ("Rotations measured", run.setting("evaluation", "precision")),
            ("Strategy", run.setting("training", "strategy")),
            ("Seed", run.setting("seed")),
        ]
    )


def environment_facts(run: RunContents) -> list[tuple[str, str]]:
    """Return the environment as flat names and values."""
    return list(_flat(run.environment))


def _best_epoch(run: RunContents) -> str | None:
    monitor = str(run.setting("training", "early_stopping", "monitor") or "val_loss")
    values = []
    for index, row in enumerate(run.history):
        try:
            values.append((float(row[monitor]), row.get("epoch") or str(index + 1)))
        except (KeyError, ValueError):
            continue
    values = [(value, epoch) for value, epoch in values if np.isfinite(value)]
    if not values:
        return None
    smaller = any(word in monitor for word in ("loss", "error", "mse", "mae", "ece"))
    best, epoch = (min if smaller else max)(values, key=lambda pair: pair[0])
    return f"{epoch} ({monitor} {best:.4g})"


def _giga(number: float | None) -> str | None:
    """Return multiply-adds as people compare them."""
    return None if number is None else f"{number / 1e9:.3g} billion an image"


def _stated_number(number: float | None, unit: str) -> str | None:
    return None if number is None else f"{number:,.4g} {unit}"


def _pixels(size: Any) -> str | None:
    return None if size is None else f"{size} × {size} pixels"


def _stated(facts: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Keep the facts that are known, as text."""
    return [(name, _plainly(value)) for name, value in facts if value not in (None, {}, [], "")]


def _plainly(value: Any) -> str:
    """Return a setting as a reader would write it down.

    Example:
        >>> _plainly({"name": "adamw", "learning_rate": 0.001, "clip_norm": None})
        'adamw, learning rate 0.001'
        >>> _plainly(["flip", "rotate90"])
        'flip, rotate90'
    """
    if isinstance(value, dict):
        parts = [_plainly(value["name"])] if "name" in value else []
        parts += [
            f"{str(key).replace('_', ' ')} {_plainly(item)}"
            for key, item in value.items()
            if key != "name" and item not in (None, [], {})
        ]
        return ", ".join(parts)
    if isinstance(value, list | tuple):
        return ", ".join(_plainly(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _flat(mapping: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in mapping.items():
        name = f"{prefix}{key}".replace("_", " ")
        if key == "command" and isinstance(value, list):
            yield name, " ".join(map(str, value))
        elif isinstance(value, dict):
            yield from _flat(value, f"{name} · ")
        elif value not in (None, "", []):
            yield name, _plainly(value)
