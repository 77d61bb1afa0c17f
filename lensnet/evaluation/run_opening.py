"""A run's model and data, as they are measured."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lensnet.prediction.loading import check_input_shape, load
from lensnet.progress import track
from lensnet.run_folder import RunFolder

if TYPE_CHECKING:
    from lensnet.data import PreparedData

__all__ = ["load_run_model", "open_run_data", "split_outputs"]

# Test images are kept at hand for rotating them; above this they are kept on disk.
_MEMORY_BYTES = 1 << 30
_BATCH = 64


def load_run_model(run: RunFolder) -> Any:
    """Loads a run's best model, as it was saved.

    Raises:
        RunError: there is none yet, or it does not fit the run's data.
    """
    model = load(run.path)
    check_input_shape(model, run.read_data(), run)
    return model


def open_run_data(run: RunFolder) -> PreparedData:
    """Opens a run's prepared data, with the statistics that its model was trained with.

    Raises:
        DataError: they are gone, and cannot be prepared again.
    """
    from lensnet.data import Preprocessing, open_prepared

    known = run.read_data()
    preprocessing = Preprocessing.from_dict(known.preprocessing.to_dict())
    return open_prepared(run.read_experiment(), known.records, preprocessing)


@contextlib.contextmanager
def split_outputs(
    model: Any, data: PreparedData, split: str, *, keep_images: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gives a model's outputs for a split and, if asked for, the images as the model takes them.

    Args:
        model: from preprocessed images to outputs.
        data: whose images they are.
        split: `train`, `validation` or `test`.
        keep_images: whether the images are wanted; else there is none.
    """
    count = len(data.examples(split).ids)
    shape = (count if keep_images else 0, *data.image_shape)
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
            data.batches(split, _BATCH),
            f"Measuring on the {split} split",
            total=count,
            count=lambda pair: len(pair[0]),
        ):
            outputs.append(np.asarray(model.predict_on_batch(batch)))
            if keep_images:
                images[start : start + len(batch)] = batch
            start += len(batch)
        yield np.concatenate(outputs), images
