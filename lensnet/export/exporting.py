"""Writing a run's model, with its preprocessing, for deployment."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.errors import LensnetError
from lensnet.export.checking import check_export
from lensnet.export.formats import Format, check_format
from lensnet.export.images import CheckImages, calibration_images, first, open_data
from lensnet.export.served_model import ServedModel
from lensnet.export.target import check_target
from lensnet.export.timing import take_turns
from lensnet.overwriting import EXPORT
from lensnet.prediction.predictor import Predictor
from lensnet.registry import load_object
from lensnet.run_folder import RunFolder
from lensnet.standard_error import native_standard_error_aside

__all__ = ["export_run", "open_export"]

_log = logging.getLogger(__name__)


def export_run(
    run_dir: str | Path,
    format: str,
    output: str | Path | None = None,
    *,
    quantize: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Exports a run's best model together with its preprocessing.

    The export takes raw images, float32 (batch, height, width, channels) in the shape of
    the run's data, and gives probabilities (batch, classes), of class 1 alone for a binary task,
    (batch, 1), or targets in their own unit, (batch, 1), and `sigma`, (batch, 1), where the run
    predicts it. It is compared with the run's model on the test split before it takes its name;
    `lensnet.json` in it has what was measured, the class names, and the names and shapes of inputs
    and outputs.

    Args:
        run_dir: the run folder.
        format: a key of `FORMATS`.
        output: the folder to write. Default: `export/<format>` in the run folder, or
            `export/<format>_<quantize>`.
        quantize: `float16` or `int8`, for `litert`.
        overwrite: replace an export that is there.

    Returns:
        what was written.

    Raises:
        RunError: the run has no model yet, or the output exists and is not to be replaced, or is
            not an export that lensnet has written.
        ConfigurationError: the output cannot be written, or the format not be made here.
        DataError: there are no images to calibrate int8 by.
        LensnetError: the export does not answer as the run does, and was not kept.
    """
    made_as = check_format(format, quantize)
    target = check_target(run_dir, format, output, quantize=quantize, overwrite=overwrite)
    predictor = Predictor.open(run_dir)
    data = open_data(RunFolder.open(run_dir), predictor)
    calibration = calibration_images(data) if quantize == "int8" else None
    served = ServedModel.of(predictor)
    if served.not_folded is not None:
        _log.info("Exported as it is, not folded: %s", served.not_folded)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as directory:
        made = Path(directory) / target.name
        made.mkdir()
        with _converting(made_as):
            load_object(made_as.write)(served, made)
            if quantize is not None and made_as.quantize is not None:
                load_object(made_as.quantize)(made, quantize, calibration, served)
            run = load_object(made_as.open)(made, list(served.outputs))
        images = CheckImages.of(data, predictor)
        check = check_export(predictor, run, images, quantize)
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
        EXPORT.write_mark(
            made,
            format=format,
            quantize=quantize,
            experiment=predictor.experiment.name,
            task=served.task.name,
            input={"images": ["batch", *served.native_shape]},
            outputs={name: ["batch", columns] for name, columns in served.outputs.items()},
            classes=list(predictor.classes),
            folded=served.not_folded is None,
            check=check.to_dict(),
            size_bytes=size,
            speed=_speed(predictor, run, first(images.batches())),
            packages={package: _version(package) for package in ("tensorflow", *made_as.needs)},
        )
        check_target(run_dir, format, output, quantize=quantize, overwrite=overwrite)
        if target.exists():
            if any(target.iterdir()):
                EXPORT.empty(target)
            target.rmdir()
        made.rename(target)
    return target


def open_export(folder: Path, mark: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what an export computes, from raw images (N, H, W, C) to outputs (N, K).

    Args:
        folder: of the export.
        mark: what its `lensnet.json` holds.

    Raises:
        ConfigurationError: a package that it needs is missing.
    """
    format = check_format(mark["format"], mark["quantize"])
    run: Callable[[np.ndarray], np.ndarray]
    with native_standard_error_aside():
        run = load_object(format.open)(folder, list(mark["outputs"]))
    return run


@contextlib.contextmanager
def _converting(format: Format) -> Iterator[None]:
    """Keeps aside what converters say, and words what they cannot do.

    Raises:
        LensnetError: the model cannot be had in the format.
    """
    try:
        with (
            native_standard_error_aside(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    except (LensnetError, OSError, MemoryError):
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:300]
        raise LensnetError(
            f"This model cannot be made {format.words}: {reason.rstrip('.')}. Use --format "
            "saved_model."
        ) from error


def _speed(
    predictor: Predictor, run: Callable[[np.ndarray], np.ndarray], images: np.ndarray
) -> dict[str, Any]:
    """Images a second of an export and of the run's model, in turns."""
    turns = {"export": lambda: run(images), "run": lambda: predictor(images)}
    times = take_turns(turns, rounds=5, seconds=0.1)
    median = {name: len(images) / statistics.median(seconds) for name, seconds in times.items()}
    return {
        "batch_size": len(images),
        "images_per_second": round(median["export"], 1),
        "images_per_second_of_the_run": round(median["run"], 1),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package.replace("_", "-"))
    except importlib.metadata.PackageNotFoundError:
        return None
