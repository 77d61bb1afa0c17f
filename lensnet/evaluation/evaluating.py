"""Measuring a finished run: metrics, predictions and figures into its folder."""

from __future__ import annotations

import csv
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from lensnet import files
from lensnet.errors import DataError
from lensnet.evaluation import figures as draw
from lensnet.evaluation.invariance import Invariance, rotation_report
from lensnet.layers import accelerate
from lensnet.prediction.columns import Columns
from lensnet.prediction.loading import check_input_shape, load
from lensnet.progress import track
from lensnet.registry import load_object
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["evaluate_run", "measure_invariance"]

_log = logging.getLogger(__name__)

# Test images are kept at hand for rotating them; above this they are kept on disk.
_MEMORY_BYTES = 1 << 30


def evaluate_run(run: RunFolder, data: PreparedData | None = None) -> dict[str, Any]:
    """Measures a run's best model on the validation and the test split.

    Writes `metrics.json`, `predictions.csv` and the figures into the run folder.

    Args:
        run: the run folder.
        data: the run's data, if they are open already.

    Returns:
        what `metrics.json` holds.

    Raises:
        RunError: the run has no model yet, or is damaged.
        ConfigurationError: the folder cannot be written.
        DataError: the data cannot be prepared.
    """
    experiment = run.read_experiment()
    history = run.read_history()
    run.check_writable()
    model = _load_model(run)
    data = data or _open_data(run)
    task = experiment.task_spec
    metrics = load_object(task.metrics)
    with _outputs(model, data, "validation", keep_images=False) as (outputs, _):
        examples = data.examples("validation")
        validation = metrics(examples.labels, outputs)
    with _outputs(model, data, "test", keep_images=True) as (outputs, images):
        examples = data.examples("test")
        test = metrics(examples.labels, outputs)
        invariance = _invariance(run, data, model, images, experiment.evaluation.rotations)
        if invariance is not None:
            test.update(invariance.metrics())
        _write_predictions(run, load_object(task.columns)(data.classes), examples, outputs)
        drawn = load_object(task.figures)(examples.labels, outputs, images, data.classes)
        _save_figures(run, history, drawn, invariance)
    result = {"validation": validation, "test": test, "timing": _timing(history, data)}
    run.write_json("metrics.json", result)
    return result


def measure_invariance(run: RunFolder, rotations: int) -> Invariance:
    """Measures how steady a run's best model is when its test images are rotated.

    Args:
        run: the run folder.
        rotations: number of angles, 360 / rotations degrees apart.

    Raises:
        DataError: the images are not square and the angles need them to be.
    """
    data = _open_data(run)
    model = _load_model(run)
    with _outputs(model, data, "test", keep_images=True) as (_, images):
        invariance = _invariance(run, data, model, images, rotations)
    if invariance is None:
        raise DataError("The rotation-invariance cannot be measured on these test images.")
    return invariance


def _load_model(run: RunFolder) -> Any:
    model = load(run.path)
    check_input_shape(model, run.read_data(), run)
    return accelerate(model)


def _open_data(run: RunFolder) -> PreparedData:
    from lensnet.data import Preprocessing, open_prepared

    known = run.read_data()
    # The statistics that the model was trained with, whatever has become of the data since.
    preprocessing = Preprocessing.from_dict(known.preprocessing.to_dict())
    return open_prepared(run.read_experiment(), known.records, preprocessing)


@contextmanager
def _outputs(
    model: Any, data: PreparedData, split: str, *, keep_images: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The model's outputs for a split and, if asked for, the images as the model takes them."""
    count = len(data.examples(split).ids)
    shape = (count if keep_images else 0, *data.image_shape)
    batch_size = 64
    with tempfile.TemporaryDirectory() as directory:
        images: np.ndarray
        if np.prod(shape) * 4 > _MEMORY_BYTES:
            images = np.lib.format.open_memmap(
                Path(directory) / "images.npy", mode="w+", dtype="float32", shape=shape
            )
        else:
            images = np.empty(shape, "float32")
        outputs, start = [], 0
        for batch, _ in track(
            data.batches(split, batch_size),
            f"Measuring on the {split} split",
            total=count,
            count=lambda pair: len(pair[0]),
        ):
            outputs.append(np.asarray(model.predict_on_batch(batch)))
            if keep_images:
                images[start : start + len(batch)] = batch
            start += len(batch)
        yield np.concatenate(outputs), images


def _invariance(
    run: RunFolder, data: PreparedData, model: Any, images: np.ndarray, rotations: int
) -> Invariance | None:
    height, width = data.image_shape[:2]
    if height != width and rotations % 4 == 0:
        _log.warning(
            "Images of %d x %d pixels cannot be rotated by 90 degrees: rotation_std is left out.",
            height,
            width,
        )
        return None
    target_std = None
    if data.target_std is not None:
        # In units of the spread of what was to be predicted.
        target_std = float(np.std(data.examples("test").labels))
        if target_std == 0:
            _log.warning("All test targets are equal: rotation_std is left out.")
            return None
    report = rotation_report(model, images, rotations, target_std=target_std)
    if len(images) > 1 and report.is_constant:
        _log.warning(
            "All test images have the same score: the network tells none apart, and that scores "
            "stay when images rotate says nothing. Has it been trained for too few steps?"
        )
    return report


def _timing(history: list[dict[str, str]], data: PreparedData) -> dict[str, float]:
    seconds = sum(float(row["seconds"]) for row in history)
    images = sum(data.counts("train").values()) * len(history)
    return {
        "seconds": round(seconds, 3),
        # A clock that stood still tells nothing of speed.
        "train_images_per_second": round(images / max(seconds, 1e-3), 1),
    }


def _write_predictions(
    run: RunFolder, columns: Columns, examples: Any, outputs: np.ndarray
) -> None:
    with files.replacing(run.predictions_file) as temporary:
        with temporary.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", columns.truth, *columns.names])
            scores = columns.scores(outputs)
            for name, label, row in zip(examples.ids, examples.labels, scores, strict=True):
                writer.writerow([name, columns.truth_cell(label), *columns.cells(row)])


def _save_figures(
    run: RunFolder,
    history: list[dict[str, str]],
    of_the_task: Mapping[str, Figure],
    invariance: Invariance | None,
) -> None:
    run.figures_dir.mkdir(exist_ok=True)
    drawn = {"training_curves": draw.training_curves(history), **of_the_task}
    if invariance is not None:
        drawn["rotation_profile"] = draw.rotation_profile(invariance)
    for name, figure in drawn.items():
        draw.save(figure, run.figures_dir / f"{name}.png")
