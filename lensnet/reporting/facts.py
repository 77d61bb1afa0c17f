"""What a report says a run was: its data, its network, its training, its environment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from lensnet.reporting.metric_guide import as_text, duration, guide, in_order, whole
from lensnet.reporting.run_contents import RunContents
from lensnet.reporting.tables import Table


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


def size_of_ensemble(run: RunContents) -> str:
    members = run.setting("ensemble", "members")
    weights = [m.get("weight") for m in members if isinstance(m, dict)] if members else []
    count = sum(map(bool, weights))
    return f"{count} network{'' if count == 1 else 's'}"


def model_facts(run: RunContents) -> list[tuple[str, str]]:
    """Return what the network is, and its cost; of an ensemble, what it is made of."""
    timing = run.metrics.get("timing", {})
    parameters = None
    if run.parameters is not None:
        parameters = f"{whole(run.parameters)} (batch statistics included)"
    if run.setting("ensemble"):
        return _stated(
            [
                ("Ensemble of", size_of_ensemble(run)),
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
