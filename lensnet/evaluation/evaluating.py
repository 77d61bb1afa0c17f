"""Measuring a finished run: metrics, predictions and figures into its folder."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from lensnet.config.task import TaskSpec
from lensnet.csv_tables import writing_table
from lensnet.errors import DataError
from lensnet.evaluation import figures as draw
from lensnet.evaluation.caveats import why_undefined
from lensnet.evaluation.invariance import Invariance, rotation_report
from lensnet.evaluation.precision import in_full_float32
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

_CONSTANT = (
    "All test images have the same score: the network tells none apart, and that scores stay when "
    "images rotate says nothing. Has it been trained for too few steps?"
)


def evaluate_run(run: RunFolder, data: PreparedData | None = None) -> dict[str, Any]:
    """Measures a run's best model on the validation and the test split.

    Writes `metrics.json`, `predictions.csv` and the figures into the run folder. A metric that has
    no value is null there, and `undefined` says why; `warnings` holds what must be said beside the
    metrics, which is logged as well.

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
        undefined = {"validation": why_undefined(validation, examples.labels, data.classes)}
    with _outputs(model, data, "test", keep_images=True) as (outputs, images):
        examples = data.examples("test")
        test = metrics(examples.labels, outputs)
        undefined["test"] = why_undefined(test, examples.labels, data.classes)
        warnings = _warnings(task, examples.labels, outputs, data.classes)
        invariance = None
        try:
            section = experiment.evaluation
            invariance = _invariance(data, model, images, section.rotations, section.precision)
            test.update(invariance.metrics())
            if len(images) > 1 and invariance.is_constant:
                warnings.append(_CONSTANT)
        except DataError as error:
            test["rotation_std"] = None
            why = str(error).rstrip(".")
            undefined["test"]["rotation_std"] = why[:1].lower() + why[1:]
        _write_predictions(run, load_object(task.columns)(data.classes), examples, outputs)
        drawn = load_object(task.figures)(examples.labels, outputs, images, data.classes)
        _save_figures(run, history, drawn, invariance)
    for words in warnings:
        _log.warning("%s", words)
    timing = _timing(history, data) | {"milliseconds_for_one_image": _latency_ms(model, data)}
    result = {
        "validation": validation,
        "test": test,
        "timing": timing,
        "undefined": undefined,
        "warnings": warnings,
    }
    run.write_json("metrics.json", result)
    return result


def measure_invariance(run: RunFolder, rotations: int, precision: str | None = None) -> Invariance:
    """Measures how steady a run's best model is when its test images are rotated.

    Args:
        run: the run folder.
        rotations: number of angles, 360 / rotations degrees apart.
        precision: `as_trained` or `float32`; by default as the run's `evaluation.precision` says.

    Raises:
        DataError: the images are not square and the angles need them to be, or all targets of a
            regression are equal.
    """
    data = _open_data(run)
    model = _load_model(run)
    precision = precision or run.read_experiment().evaluation.precision
    with _outputs(model, data, "test", keep_images=True) as (_, images):
        invariance = _invariance(data, model, images, rotations, precision)
    if len(images) > 1 and invariance.is_constant:
        _log.warning("%s", _CONSTANT)
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


@contextlib.contextmanager
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


def _warnings(
    task: TaskSpec, labels: np.ndarray, outputs: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """What must be said beside the metrics of the test split."""
    return [] if task.warnings is None else load_object(task.warnings)(labels, outputs, classes)


def _invariance(
    data: PreparedData, model: Any, images: np.ndarray, rotations: int, precision: str
) -> Invariance:
    """Rotates the test images.

    Raises:
        DataError: nothing could be said of them so.
    """
    height, width = data.image_shape[:2]
    if height != width and rotations % 4 == 0:
        raise DataError(f"Images of {height} x {width} pixels cannot be rotated by 90 degrees.")
    target_std, columns = None, None
    if data.target_std is not None:
        # Of a prediction, not of its sigma.
        columns = 1
        # In units of the spread of what was to be predicted.
        target_std = float(np.std(data.examples("test").labels))
        if target_std == 0:
            raise DataError("All test targets are equal, and have no spread to compare with.")
    in_precision: Any = contextlib.nullcontext(model)
    if precision == "float32":
        in_precision = in_full_float32(model)
    with in_precision as measured:
        return rotation_report(measured, images, rotations, target_std=target_std, columns=columns)


def _timing(history: list[dict[str, str]], data: PreparedData) -> dict[str, float]:
    if not history:
        return {}  # of an ensemble, whose members were trained before
    seconds = sum(float(row["seconds"]) for row in history)
    images = sum(data.training_counts.values()) * len(history)
    return {
        "seconds": round(seconds, 3),
        # A clock that stood still tells nothing of speed.
        "train_images_per_second": round(images / max(seconds, 1e-3), 1),
    }


def _latency_ms(model: Any, data: PreparedData, calls: int = 10) -> float:
    """The median time in which the model answers for one preprocessed image, after the first."""
    image = np.zeros((1, *data.image_shape), "float32")
    model.predict_on_batch(image)
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        model.predict_on_batch(image)
        seconds.append(time.perf_counter() - start)
    return round(1e3 * float(np.median(seconds)), 2)


def _write_predictions(
    run: RunFolder, columns: Columns, examples: Any, outputs: np.ndarray
) -> None:
    header = ["id", columns.truth, *columns.names]
    is_target = examples.labels.dtype.kind == "f"
    numbers = [*columns.score_names, *([columns.truth] if is_target else [])]
    with writing_table(run.predictions_file, header, numbers) as table:
        scores = columns.scores(outputs)
        for name, label, row in zip(examples.ids, examples.labels, scores, strict=True):
            table.row([name, columns.truth_cell(label), *columns.cells(row)])


def _save_figures(
    run: RunFolder,
    history: list[dict[str, str]],
    of_the_task: Mapping[str, Figure],
    invariance: Invariance | None,
) -> None:
    run.figures_dir.mkdir(exist_ok=True)
    drawn = {"training_curves": draw.training_curves(history)} if history else {}
    drawn |= of_the_task
    if invariance is not None:
        drawn["rotation_profile"] = draw.rotation_profile(invariance)
    for name, figure in drawn.items():
        draw.save(figure, run.figures_dir / f"{name}.png")
