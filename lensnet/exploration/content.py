"""What an exploration says, as facts, tables and warnings for the terminal and the page."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensnet.data.records.index import QUARANTINE
from lensnet.data.sources.splits import SPLITS
from lensnet.exploration.exploring import Exploration
from lensnet.exploration.separation import follows_target, tells_apart

__all__ = [
    "Table",
    "bad_file_table",
    "count_table",
    "duplicate_table",
    "facts",
    "metadata_table",
    "target_table",
    "value_table",
    "warnings_of",
]

# A ratio of classes above which accuracy says little, and a batch may lack a class.
_UNEVEN = 5.0
# Where one number of an image tells its class this well, a network needs no lens to.
_TELLING, _FOLLOWING = 0.95, 0.95
# By so few images of a class no metric is measured well.
_FEW = 10
_IMAGE_NUMBERS = {
    "lowest": "lowest pixel",
    "median": "median pixel",
    "highest": "highest pixel",
    "mean": "mean of the pixels",
    "std": "standard deviation of the pixels",
}


@dataclass(frozen=True)
class Table:
    """Column heads and rows of cells: numbers, text, or None for what is not known.

    Args:
        heads: of the columns; the first names the rows.
        rows: of the table.
        has_total: whether the last row is the sum of those above.
    """

    heads: list[str]
    rows: list[list[Any]]
    has_total: bool = False


def facts(found: Exploration) -> list[tuple[str, str]]:
    """Returns what data these are, and where they lie."""
    experiment, data = found.experiment, found.data
    height, width, channels = data.native_shape
    options = {k: v for k, v in experiment.dataset_options.model_dump().items() if v is not None}
    splits = ", ".join(f"{name} {getattr(data.splits, name)}" for name in SPLITS)
    named = ", ".join(found.bands)
    bands = f"{channels} channels ({named})" if channels > 1 else f"1 channel ({named})"
    if found.bands == ("channel 0",):
        bands = "1 channel"
    fresh = ""
    if experiment.data.fresh:
        fresh = f"{data.examples_per_epoch} new ones every epoch; here a sample of their kind"
    return [
        ("Data set", experiment.data.dataset),
        ("Source", str(experiment.source_dir or "simulated")),
        ("Options", ", ".join(f"{key}: {value}" for key, value in options.items()) or "none"),
        ("Task", experiment.task),
        ("Images", f"{len(found.ids)} of {height} x {width} pixels, {bands}"),
        *([("Training", fresh)] if fresh else []),
        ("Splits", f"{splits}; seed {experiment.data.seed}"),
        ("Records", str(data.directory)),
        ("Fingerprint", found.fingerprint),
    ]


def count_table(found: Exploration) -> Table:
    """Returns how many images each class and split has."""
    shown = found.targets is None
    rows: list[list[Any]] = []
    for number, name in enumerate(found.groups.names):
        counts = _counts(found, number)
        rows.append([name, *counts, sum(counts), 100 * sum(counts) / len(found.ids)])
    totals = [int(np.sum(found.splits == split)) for split in SPLITS]
    rows.append(["all", *totals, len(found.ids), 100.0])
    training = "train (sample)" if found.experiment.data.fresh else "train"
    heads = ["class" if shown else "target", training, *SPLITS[1:], "all", "share (%)"]
    return Table(heads, rows, True)


def target_table(found: Exploration) -> Table | None:
    """Returns how the targets of a regression are spread; None for classes."""
    if found.targets is None:
        return None
    rows: list[list[Any]] = []
    for split in SPLITS:
        targets = found.targets[found.splits == split]
        quantiles = np.percentile(targets, [0, 25, 50, 75, 100]).tolist()
        rows.append([split, len(targets), *quantiles, float(targets.mean()), float(targets.std())])
    heads = ["target", "images", "lowest", "25 %", "median", "75 %", "highest", "mean", "std"]
    return Table(heads, rows)


def value_table(found: Exploration) -> Table:
    """Returns the pixel values of each class and band, over all splits.

    "lowest" and "highest" are those of all pixels; "median", "99 %" and "std" are of one image,
    the median over images. "at top" is the share of pixels that have the very highest value of
    the band, where a detector or a scaling may have cut them off.
    """
    height, width, channels = found.data.native_shape
    heads = ["class" if found.targets is None else "target"]
    heads += ["channel"] if channels > 1 else []
    heads += ["lowest", "median", "99 %", "highest", "std"]
    heads += ["zero (%)", "at top (%)", "filled (%)"]
    numbers, rows = found.survey, []
    tops = numbers.of("highest").max(axis=0)
    for group, name in enumerate(found.groups.names):
        inside = found.group_of == group
        pixels = int(inside.sum()) * height * width
        filled = 100 * float(found.metadata.filled[inside].sum()) / (pixels * channels)
        for band, channel in enumerate(found.bands):
            of_band = {
                name: numbers.of(name)[inside, band]
                for name in ("lowest", "median", "percentile_99", "highest", "std")
            }
            at_top = numbers.highest[inside, band][of_band["highest"] == tops[band]].sum()
            rows.append(
                [
                    name,
                    *([channel.removeprefix("channel ")] if channels > 1 else []),
                    float(of_band["lowest"].min()),
                    float(np.median(of_band["median"])),
                    float(np.median(of_band["percentile_99"])),
                    float(of_band["highest"].max()),
                    float(np.median(of_band["std"])),
                    100 * float(numbers.zeros[inside, band].sum()) / pixels,
                    100 * float(at_top) / pixels,
                    filled,
                ]
            )
    return Table(heads, rows)


def metadata_table(found: Exploration) -> Table | None:
    """Returns what the records know of the images besides; None where that is nothing."""
    known = found.metadata
    if not known.numbers and not known.texts:
        return None
    last = "tells classes (AUC)" if found.targets is None else "follows target (rank corr.)"
    rows: list[list[Any]] = []
    for name, values in known.numbers.items():
        there = values[np.isfinite(values)]
        # An infinite or missing value is one that nobody can use.
        spread = np.percentile(there, [0, 50, 100]).tolist() if len(there) else [None] * 3
        rows.append([name, *spread, len(values) - len(there), _telling(found, values)])
    for name, (different, count) in known.texts.items():
        missing = len(found.ids) - count
        rows.append([name, f"{different} different texts", None, None, missing, None])
    return Table(["column", "lowest", "median", "highest", "missing", last], rows)


def bad_file_table(found: Exploration) -> Table | None:
    """Returns why files are bad, and how many for each reason; None where none is.

    Reasons that differ in their numbers alone are counted together.
    """
    counts: Counter[str] = Counter()
    example: dict[str, tuple[str, str]] = {}
    for file, reason in found.quarantine:
        kind = re.sub(r"\d[\d.,]*(e[+-]?\d+)?", "#", reason)
        counts[kind] += 1
        example.setdefault(kind, (reason, file))
    rows: list[list[Any]] = [[*example[kind], number] for kind, number in counts.most_common()]
    heads = ["reason", "the first of them", "files"]
    return Table(heads, rows) if rows else None


def duplicate_table(found: Exploration, limit: int) -> Table | None:
    """Returns the images that are there more than once, a row a pair; None where there are none.

    Args:
        found: what was found.
        limit: rows at most.
    """
    rows: list[list[Any]] = []
    for same in found.duplicates:
        first, *others = same.members
        for other in others:
            rows.append([*_member(found, first), *_member(found, other), other.change])
            if len(rows) == limit:
                break
        if len(rows) == limit:
            break
    what = "class" if found.targets is None else "target"
    heads = ["image", "split", what, "is also", "split", what, "as"]
    return Table(heads, rows) if rows else None


def warnings_of(found: Exploration) -> list[str]:
    """Returns what should be looked at before anything is trained."""
    return [
        *_duplicate_warnings(found),
        *_count_warnings(found),
        *_value_warnings(found),
        *_bad_file_warnings(found),
    ]


def _duplicate_warnings(found: Exploration) -> list[str]:
    said = []
    across = [same for same in found.duplicates if same.across_splits]
    if across:
        said.append(
            f"{_counted(across)} stand in more than one split, such as "
            f"{_pair(across[0], by_split=True)}. What is learned by heart in training is then "
            "rewarded in the test. Remove the copies, or let them share a split (fits_catalog: "
            "data.options.group_column)."
        )
    contradicting = [same for same in found.duplicates if same.contradict]
    if contradicting:
        what = "classes" if found.targets is None else "targets"
        said.append(
            f"{_counted(contradicting)} have different {what}, such as "
            f"{_pair(contradicting[0], by_split=False)}. At most one of them can be right."
        )
    return said


def _count_warnings(found: Exploration) -> list[str]:
    if found.targets is not None:
        return _target_warnings(found.targets, found.splits)
    said = []
    counts = {name: _counts(found, number) for number, name in enumerate(found.groups.names)}
    training = {name: of_class[0] for name, of_class in counts.items()}
    most, least = max(training, key=training.__getitem__), min(training, key=training.__getitem__)
    ratio = training[most] / training[least]
    if ratio > _UNEVEN:
        said.append(
            f'"{most}" has {ratio:.3g} times as many training images as "{least}". data.balance '
            "can even that out in training; accuracy will say little."
        )
    for place, split in enumerate(SPLITS[1:], start=1):
        few = [
            f'{of_class[place]} of "{name}"'
            for name, of_class in counts.items()
            if of_class[place] < _FEW
        ]
        if few:
            more = f" and of {len(few) - 5} more classes" if len(few) > 5 else ""
            said.append(
                f"The {split} split has only {', '.join(few[:5])}{more}: metrics on it will be "
                "rough."
            )
    return said


def _target_warnings(targets: np.ndarray, splits: np.ndarray) -> list[str]:
    training = targets[splits == "train"]
    low, high = training.min(), training.max()
    said = []
    for split in SPLITS[1:]:
        of_split = targets[splits == split]
        outside = int(np.sum((of_split < low) | (of_split > high)))
        if outside > 0.01 * len(of_split):
            said.append(
                f"{outside} of {len(of_split)} {split} targets lie outside those of the training "
                f"split ({low:.4g} to {high:.4g}), where a network has seen nothing."
            )
    return said


def _value_warnings(found: Exploration) -> list[str]:
    said = []
    words = "the class" if found.targets is None else "the target"
    for band, name in enumerate(found.bands):
        of_band = f" in {name}" if len(found.bands) > 1 else ""
        telling = {
            number: _telling(found, found.survey.of(number)[:, band].astype(np.float64))
            for number in _IMAGE_NUMBERS
        }
        best = max(telling, key=lambda number: telling[number] or 0)
        how_well = telling[best] or 0
        if how_well > (_TELLING if found.targets is None else _FOLLOWING):
            measure = "AUC" if found.targets is None else "rank correlation"
            said.append(
                f"The {_IMAGE_NUMBERS[best]}{of_band} alone nearly gives {words} away ({measure} "
                f"{how_well:.3f}). A network will use that rather than the shape of the image: see "
                "whether it is physics, or how the data were made or scaled."
            )
        tops = found.survey.of("highest")[:, band]
        lows = found.survey.of("lowest")[:, band]
        if len(tops) > 1 and (tops == tops[0]).all() and (lows == lows[0]).all():
            said.append(
                f"All images{of_band} run from {lows[0]:g} to {tops[0]:g}: each has been scaled to "
                "its own range, so that brightness no longer compares."
            )
    return said


def _bad_file_warnings(found: Exploration) -> list[str]:
    said = []
    if found.quarantine:
        said.append(
            f"{len(found.quarantine)} bad files were left out; "
            f"{found.data.directory / QUARANTINE} says why."
        )
    filled = int(np.count_nonzero(found.metadata.filled))
    if filled:
        said.append(
            f"{filled} images had masked or not finite pixels, which were filled with the median "
            "of their band."
        )
    return said


def _telling(found: Exploration, values: np.ndarray) -> float | None:
    """Returns how well a number tells the class, or how closely it follows the target."""
    if found.targets is None:
        return tells_apart(values, found.group_of, len(found.groups))
    return follows_target(values, found.targets)


def _counts(found: Exploration, group: int) -> list[int]:
    inside = found.splits[found.group_of == group]
    return [int(np.sum(inside == split)) for split in SPLITS]


def _counted(sets: list[Any]) -> str:
    images = sum(same.count for same in sets)
    rotated = sum(not same.exact for same in sets)
    return f"{images} images that are in truth {len(sets)}" + (
        f" ({rotated} of them rotated or reflected)" if rotated else ""
    )


def _pair(same: Any, by_split: bool) -> str:
    """Names two members that differ in what is complained of."""
    first, *others = same.members
    key = (lambda member: member.split) if by_split else (lambda member: member.label)
    other = next((member for member in others if key(member) != key(first)), others[0])
    return f'"{first.id}" ({key(first)}) and "{other.id}" ({key(other)})'


def _member(found: Exploration, member: Any) -> list[str]:
    label = member.label if found.targets is None else f"{float(member.label):.5g}"
    return [member.id, member.split, label]
