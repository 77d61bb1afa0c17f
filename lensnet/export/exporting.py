"""Writing a run's model, with its preprocessing, for deployment."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from lensnet.export.target import check_target
from lensnet.layers import fold
from lensnet.overwriting import SAVED_MODEL
from lensnet.prediction.predictor import Predictor

__all__ = ["FORMATS", "export_run"]

_log = logging.getLogger(__name__)


def export_run(
    run_dir: str | Path, format: str, output: str | Path | None = None, *, overwrite: bool = False
) -> Path:
    """Exports a run's best model together with its preprocessing.

    The export takes raw images, float32 (batch, height, width, channels) in the shape of
    the run's data, and gives probabilities (batch, classes), of class 1 alone for a binary task,
    (batch, 1), or targets in their own unit, (batch, 1), and `sigma`, (batch, 1), where the run
    predicts it.

    Args:
        run_dir: the run folder.
        format: a key of `FORMATS`.
        output: what to write. Default: `export/<format>` in the run folder.
        overwrite: replace an export that is there.

    Returns:
        what was written.

    Raises:
        RunError: the run has no model yet, or the output exists and is not to be replaced, or is
            not an export that lensnet has written.
        ConfigurationError: the output cannot be written.
    """
    target = check_target(run_dir, format, output, overwrite=overwrite)
    predictor = Predictor.open(run_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as directory:
        made = Path(directory) / target.name
        FORMATS[format](predictor, made)
        check_target(run_dir, format, output, overwrite=overwrite)
        if target.exists():
            if any(target.iterdir()):
                SAVED_MODEL.empty(target)
            target.rmdir()
        made.rename(target)
    return target


def _saved_model(predictor: Predictor, target: Path) -> None:
    """A TensorFlow SavedModel with the signature `serving_default`: image to output."""
    import tensorflow as tf

    signature = tf.TensorSpec((None, *predictor.native_shape), tf.float32, name="images")
    model, preprocessing = _folded(predictor.model), predictor.preprocessing

    @tf.function(input_signature=[signature])
    def serve(images: Any) -> dict[str, Any]:
        outputs = model(preprocessing(images), training=False)
        task = predictor.experiment.task_spec
        if not task.output_columns:
            return {task.output_name: outputs}
        return {name: outputs[:, at : at + 1] for at, name in enumerate(task.output_columns)}

    module = tf.Module()
    module.model = model  # so that its variables are saved
    module.serve = serve
    tf.saved_model.save(module, str(target), signatures={"serving_default": serve})
    SAVED_MODEL.write_mark(
        target,
        input={"images": ["batch", *predictor.native_shape]},
        classes=list(predictor.classes),
        experiment=predictor.experiment.name,
    )


def _folded(model: keras.Model) -> keras.Model:
    """An equal model of stock layers, which is quicker; the model itself where there is none."""
    try:
        return fold(model)
    except ValueError as error:
        _log.info("Exported as it is, not folded: %s", error)
        return model


FORMATS: dict[str, Callable[[Predictor, Path], None]] = {"saved_model": _saved_model}
