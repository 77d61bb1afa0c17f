"""Scoring files and folders into a table."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensnet import files
from lensnet.data import FileReader, read_inputs
from lensnet.data.inputs import Input
from lensnet.errors import DataError, RunError
from lensnet.prediction.predictor import Predictor
from lensnet.progress import track

__all__ = ["score_files"]

_log = logging.getLogger(__name__)


def score_files(
    run_dir: str | Path,
    inputs: Sequence[str | Path],
    output: str | Path,
    *,
    batch_size: int = 64,
    overwrite: bool = False,
) -> int:
    """Scores every image in files and folders and writes a CSV file.

    A row an image: id, file, the predicted class and a score column a class, or the prediction of
    a regression. Files that cannot be used are listed with their reason in `*.quarantine.csv`
    beside it. Both files are written whole or not at all; memory does not grow with the number of
    images.

    Args:
        run_dir: the run folder.
        inputs: image files, and folders that are searched through all folders below.
        output: the CSV file.
        batch_size: images scored at once.
        overwrite: replace the CSV file if it exists.

    Returns:
        how many images were scored.

    Raises:
        RunError: there is no such run, or the output exists.
        DataError: an input does not exist, or not one image could be used.
    """
    predictor = Predictor.open(run_dir)
    output = Path(output)
    quarantine = output.with_suffix(".quarantine.csv")
    for path in (output, quarantine):
        if path.exists() and not overwrite:
            raise RunError(f"{path} exists already. Replace it by --overwrite.")
    if not output.parent.is_dir():
        raise RunError(f"There is no folder {output.parent} to write {output.name} into.")
    scored = 0
    bad: list[Input] = []
    batches = read_inputs(
        [str(path) for path in inputs],
        predictor.native_shape,
        batch_size=batch_size,
        reader=FileReader.from_options(predictor.experiment.dataset_options),
    )
    with files.replacing(output) as temporary:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            named = ["predicted"] if predictor.classes else []
            writer.writerow(["id", "file", *named, *predictor.score_names])
            for batch in track(batches, "Scoring images", count=len):
                good = [item for item in batch if item.image is not None]
                bad += [item for item in batch if item.image is None]
                scored += len(good)
                if good:
                    writer.writerows(_rows(predictor, good))
        if bad:
            _write_quarantine(quarantine, bad)
        else:
            quarantine.unlink(missing_ok=True)
        if not scored:
            raise DataError(
                f"None of the {len(bad)} images could be used; {quarantine} says why. The first: "
                f"{bad[0].error}"
            )
    if bad:
        _log.warning("%d bad files were left out; %s says why.", len(bad), quarantine)
    _log.info("%d images scored: %s", scored, output)
    return scored


def _rows(predictor: Predictor, good: list[Input]) -> list[list[str]]:
    scores = predictor.scores(np.stack([item.image for item in good if item.image is not None]))
    rows = []
    for item, values in zip(good, scores, strict=True):
        named = [predictor.classes[int(np.argmax(values))]] if predictor.classes else []
        rows.append([item.id, item.path, *named, *(f"{value:.7g}" for value in values)])
    return rows


def _write_quarantine(path: Path, bad: list[Input]) -> None:
    with files.replacing(path) as temporary:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["file", "reason"])
            writer.writerows([item.path, item.error.reason if item.error else ""] for item in bad)
