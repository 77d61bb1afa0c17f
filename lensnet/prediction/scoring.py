"""Scoring files and folders into a table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensnet import files
from lensnet.csv_tables import TableWriter, name_as_text, open_for_writing, write_table
from lensnet.data.sources.source import ORIENTATION_IGNORED
from lensnet.prediction.bad_inputs import nothing_usable, write_quarantine
from lensnet.prediction.image_batches import read_images
from lensnet.prediction.planning import Input
from lensnet.prediction.predictor import Predictor
from lensnet.prediction.requests import ScoreFiles
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
    """Scores every image in files, folders and tables, and writes a CSV file.

    A row an image: id, file, the predicted class and a score column a class, or the prediction of
    a regression, with `sigma` where its loss was `gaussian_nll`. Beside it, files that cannot be
    used are listed with their reason in `*.quarantine.csv` (of several bands the one that is bad,
    and the folder of files that are of none), and images of which some pixels were masked or not
    finite and have been filled, as in training, in `*.filled.csv`. All are written whole or not at
    all; memory does not grow with the number of images.

    Args:
        run_dir: the run folder.
        inputs: image files, folders that are searched through all folders below, and, for a run
            that was trained by a table (`fits_catalog`), tables with the same columns but for
            label and target.
        output: the CSV file; its name ends with .csv.
        batch_size: images scored at once.
        overwrite: replace the CSV file if it exists and lensnet has written it.

    Returns:
        how many images were scored.

    Raises:
        ConfigurationError: the output is not to be a CSV file.
        RunError: there is no such run, or the output exists.
        DataError: an input does not exist, the run takes none of them, or not one image could be
            used; then nothing is written.
    """
    written = ScoreFiles.checked(output, overwrite=overwrite)
    predictor = Predictor.open(run_dir)
    scored = oriented = 0
    bad: list[Input] = []
    filled: list[tuple[str, str, int]] = []
    batches = read_images(predictor, inputs, batch_size)
    with files.replacing(written.scores) as temporary:
        with open_for_writing(temporary) as stream:
            columns = predictor.columns
            table = TableWriter(stream, ["id", "file", *columns.names], columns.score_names)
            for batch in track(batches, "Scoring images", count=len):
                good = [item for item in batch if item.image is not None]
                bad += [item for item in batch if item.image is None]
                scored += len(good)
                oriented += sum(item.orientation != 1 for item in good)
                filled += [
                    (item.id, name_as_text(item.path), item.filled) for item in good if item.filled
                ]
                if good:
                    table.rows(_rows(predictor, good))
        if not scored:
            raise nothing_usable(predictor.experiment, bad)
        write_quarantine(written.quarantine, bad)
        write_table(written.filled, ("id", "file", "filled_pixels"), filled)
    if filled:
        _log.warning(
            "Pixels that are masked or not finite were filled with the median of their band, in %d "
            "of the images; %s says in which.",
            len(filled),
            written.filled,
        )
    if oriented:
        _log.warning(ORIENTATION_IGNORED, oriented)
    _log.info("%d images scored: %s", scored, written.scores)
    return scored


def _rows(predictor: Predictor, good: list[Input]) -> list[list[str]]:
    scores = predictor.scores(np.stack([item.image for item in good if item.image is not None]))
    cells = predictor.columns.cells
    return [
        [item.id, name_as_text(item.path), *cells(row)]
        for item, row in zip(good, scores, strict=True)
    ]
