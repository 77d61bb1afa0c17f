"""Painting arcs into a user's galaxies, scoring them, and writing what is found."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lensnet.csv_tables import name_as_text, writing_table
from lensnet.data.files.file_reader import FileReader
from lensnet.data.sources.file_source import FileLoader
from lensnet.data.sources.inputs import list_inputs
from lensnet.data.sources.source import Loaded
from lensnet.errors import DataError
from lensnet.progress import track
from lensnet.selection.arcs import ArcRanges
from lensnet.selection.completeness import (
    QUANTITIES,
    Bin,
    completeness_by,
    completeness_over_both,
    quantiles_passed,
)
from lensnet.selection.painting import Painted, Photometry, paint_arc
from lensnet.selection.test_set import TestSet

__all__ = ["Measured", "Request", "measure_selection"]

_log = logging.getLogger(__name__)

_BATCH = 64
_BINS = 8
_CELLS = 6
_SHOWN = 6
# Where no threshold is named, by how many of the galaxies themselves pass.
_SHARES = (0.01, 0.001)


class Scorer(Protocol):
    """Gives raw images a score for each class; see `lensnet.prediction.Predictor`."""

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of an image."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the scores."""

    def scores(self, images: Any) -> np.ndarray:
        """Returns (N, classes) for images (N, H, W, C)."""


@dataclass(frozen=True)
class Request:
    """What is asked.

    Args:
        galaxies: folders and files of images.
        photometry: what their numbers mean.
        ranges: which arcs are painted.
        looked_for: index of the class that a lens is.
        threshold: candidates score as much or more; None for none but those by galaxies.
        arcs: into each galaxy, one by one.
        seed: of all draws.
        writes_images: whether the images are written, as a test set.
    """

    galaxies: Sequence[Path]
    photometry: Photometry
    ranges: ArcRanges
    looked_for: int = 1
    threshold: float | None = None
    arcs: int = 1
    seed: int = 0
    writes_images: bool = True


@dataclass(frozen=True, eq=False)
class Measured:
    """What was found.

    Attributes:
        truth: what was painted, by name, (N,) each.
        scores: of the galaxies with arcs, (N,).
        galaxy_scores: of the galaxies themselves, (M,).
        criteria: the thresholds by name.
        bad: the images that cannot be used.
        bins: completeness over each quantity.
        examples: galaxies as they are and with arcs, and what is said of each.
    """

    truth: Mapping[str, np.ndarray]
    scores: np.ndarray
    galaxy_scores: np.ndarray
    criteria: Mapping[str, float]
    bad: Sequence[Loaded]
    bins: Sequence[Bin] = ()
    examples: Sequence[tuple[np.ndarray, np.ndarray, str]] = ()

    @property
    def found(self) -> dict[str, np.ndarray]:
        """Whether each arc is found, by the name of the criterion, (N,) bool each."""
        return {name: self.scores >= value for name, value in self.criteria.items()}


@dataclass(eq=False)
class _Gathered:
    """What grows as galaxies are gone through."""

    truth: dict[str, list[float]] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    galaxy_scores: list[float] = field(default_factory=list)
    bad: list[Loaded] = field(default_factory=list)
    examples: list[tuple[np.ndarray, np.ndarray, str]] = field(default_factory=list)


def measure_selection(
    scorer: Scorer, request: Request, folder: Path, reader: FileReader | None = None
) -> Measured:
    """Paints arcs into galaxies, scores both, and writes tables and images into a folder.

    `arcs.csv` has a row an arc, `completeness.csv` and `completeness_map.csv` the shares found,
    `left_out.csv` the images that cannot be used; `images/` is the test set, and `data.yaml` names
    it for `lensnet evaluate --data`.

    Args:
        scorer: gives the scores.
        request: what is asked.
        folder: exists and is empty.
        reader: how files are read; by default those of one image each.

    Raises:
        DataError: not one image can be used.
    """
    test_set = None
    if request.writes_images:
        test_set = TestSet(folder / "images", _classes(scorer, request), request.seed)
    gathered = _Gathered()
    with writing_table(folder / "arcs.csv", _arc_columns(), _arc_columns()[3:]) as table:
        start = 0
        loaded = _load(scorer, request, reader or FileReader())
        batches = iter(lambda: list(islice(loaded, _BATCH)), [])
        for batch in track(batches, "Painting and scoring", count=len):
            gathered.bad += [item for item in batch if item.image is None]
            good = [item for item in batch if item.image is not None]
            if good:
                rows = _paint_and_score(scorer, request, good, start, gathered, test_set)
                table.rows(rows)
            start += len(good)
        if not start:
            raise _nothing_usable(gathered.bad)
    measured = _summed_up(gathered, request)
    _write_tables(measured, folder)
    if test_set is not None:
        classes = scorer.classes if len(scorer.classes) == 2 else test_set.classes
        test_set.write_experiment(folder / "data.yaml", folder.name, tuple(classes))
    if measured.bad:
        _log.warning(
            "%d images were left out; %s says why.", len(measured.bad), folder / "left_out.csv"
        )
    return measured


def _load(scorer: Scorer, request: Request, reader: FileReader) -> Iterator[Loaded]:
    examples = list_inputs(request.galaxies, reader)
    for item in FileLoader(reader).load(examples, ahead=2 * _BATCH):
        yield item.of_shape(scorer.native_shape, "the network takes")


def _classes(scorer: Scorer, request: Request) -> tuple[str, str]:
    """The folders of the negatives and of the positives."""
    ours = scorer.classes[request.looked_for]
    others = [name for name in scorer.classes if name != ours]
    return (others[0] if len(others) == 1 else "galaxy"), ours


def _arc_columns() -> list[str]:
    return [
        *("galaxy", "file", "split", "arc", "galaxy_score", "score"),
        *("einstein_radius_arcsec", "source_magnitude", "arc_magnitude", "signal_to_noise"),
        *("magnification", "source_radius_arcsec"),
    ]


def _paint_and_score(
    scorer: Scorer,
    request: Request,
    good: Sequence[Loaded],
    start: int,
    gathered: _Gathered,
    test_set: TestSet | None,
) -> list[list[Any]]:
    """Works off a batch of galaxies, and returns the rows of its arcs."""
    images = [np.asarray(item.image) for item in good]
    of_galaxies = scorer.scores(np.stack(images))[:, request.looked_for]
    gathered.galaxy_scores += of_galaxies.tolist()
    splits = [""] * len(good)
    rows: list[list[Any]] = []
    for arc in range(request.arcs):
        painted = [
            _painted(request, item, image, (start + place) * request.arcs + arc)
            for place, (item, image) in enumerate(zip(good, images, strict=True))
        ]
        scores = scorer.scores(np.stack([of.image for of in painted]))[:, request.looked_for]
        for place, (item, of) in enumerate(zip(good, painted, strict=True)):
            name = name_as_text(item.example.id)
            if arc == 0 and test_set is not None:
                splits[place] = test_set.add(start + place, name, images[place], of.image)
            for key, value in of.truth.items():
                gathered.truth.setdefault(key, []).append(value)
            score, before = float(scores[place]), float(of_galaxies[place])
            gathered.scores.append(score)
            cells = [f"{value:.7g}" for value in (before, score, *of.truth.values())]
            rows.append([name, name_as_text(item.file), splits[place], arc, *cells])
            if len(gathered.examples) < _SHOWN:
                gathered.examples.append((images[place], of.image, _words(of, before, score)))
    return rows


def _painted(request: Request, item: Loaded, image: np.ndarray, number: int) -> Painted:
    return paint_arc(
        image, request.photometry, request.ranges, item.example.id, number, request.seed
    )


def _words(of: Painted, before: float, score: float) -> str:
    radius, noise = of.truth["einstein_radius_arcsec"], of.truth["signal_to_noise"]
    return f"{radius:.2f} arcsec, S/N {noise:.0f}: {before:.3f} to {score:.3f}"


def _summed_up(gathered: _Gathered, request: Request) -> Measured:
    truth = {name: np.array(values) for name, values in gathered.truth.items()}
    galaxy_scores = np.array(gathered.galaxy_scores)
    criteria = {} if request.threshold is None else {"threshold": request.threshold}
    criteria |= quantiles_passed(galaxy_scores, _SHARES)
    criteria = criteria or {"score of 0.5": 0.5}
    measured = Measured(
        truth,
        np.array(gathered.scores),
        galaxy_scores,
        criteria,
        gathered.bad,
        examples=gathered.examples,
    )
    bins = [
        of
        for name in QUANTITIES
        for of in completeness_by(name, truth[name], measured.found, _BINS)
    ]
    return Measured(**{**vars(measured), "bins": bins})


def _write_tables(measured: Measured, folder: Path) -> None:
    columns = ["quantity", "low", "high", "criterion", "threshold", "arcs", "found"]
    columns += ["completeness", "completeness_low", "completeness_high"]
    with writing_table(folder / "completeness.csv", columns) as table:
        for of in measured.bins:
            share, (low, high) = of.completeness, of.interval
            threshold = measured.criteria[of.criterion]
            table.row(
                [of.quantity, of.low, of.high, of.criterion, threshold, of.arcs, of.found]
                + [share, low, high]
            )
    names = ("einstein_radius_arcsec", "source_magnitude")
    name, found = next(iter(measured.found.items()))
    cells = list(completeness_over_both(measured.truth, names, found, _CELLS))
    with writing_table(folder / "completeness_map.csv", ["criterion", *cells[0]]) as table:
        table.rows([name, *cell.values()] for cell in cells)
    if measured.bad:
        with writing_table(folder / "left_out.csv", ["file", "reason"]) as table:
            table.rows(
                [name_as_text(item.file), item.error.reason if item.error else ""]
                for item in measured.bad
            )


def _nothing_usable(bad: Sequence[Loaded]) -> DataError:
    if not bad:
        return DataError("There is no galaxy to paint an arc into: the inputs name no image.")
    shown = "; ".join(str(item.error).rstrip(".") for item in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    return DataError(f"None of the {len(bad)} images can be used: {shown}{more}.")
